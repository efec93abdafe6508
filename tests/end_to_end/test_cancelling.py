"""A cancel in every phase: the batch job is seen gone, no body starts afterwards, the folder goes."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from howdah.models.states import JobState
from tests.end_to_end.conftest import Lab


def cancelled(lab: Lab, id_: str) -> dict[str, Any]:
    """Cancel, and see what must be true of everything that was cancelled."""
    done = lab.howdah("cancel", id_, "--reason", "changed my mind")
    assert done.code == 0, done
    began = lab.began()
    shown = lab.show(id_)
    assert shown["state"] == "cancelled"
    assert shown["failure"] is None or shown["failure"]["cause"] == "cancelled"
    assert set(lab.batch_jobs(shown)) <= {"CANCELLED", "COMPLETED"}, "nothing waits, nothing runs"
    for attempt in shown["attempts"]:
        if attempt["folder"]:
            assert not Path(attempt["folder"]).exists()
    assert lab.began() == began
    return shown


def test_cancelled_before_its_start(lab: Lab) -> None:
    id_ = lab.start("true", start_at=(datetime.now(UTC) + timedelta(days=1)).isoformat())
    shown = cancelled(lab, id_)
    assert (shown["attempts"], lab.began()) == ([], 0)


@pytest.mark.parametrize(
    ("phase", "program", "word", "when"),
    [
        (JobState.PREPARING, "mkdir", "-p", "before"),
        (JobState.STAGING_IN, "tar", "-x", "before"),
        (JobState.SUBMITTING, "sbatch", "", "before"),
        (JobState.SUBMITTING, "sbatch", "", "after"),
        (JobState.STAGING_OUT, "tar", "-c", "before"),
    ],
)
def test_cancelled_in_the_middle_of_a_step(
    lab: Lab, phase: JobState, program: str, word: str, when: Literal["before", "after"]
) -> None:
    (lab.folder / "input").write_text("data")
    with lab.cluster.hold(program, when=when, word=word) as held:
        body = "true" if phase is JobState.STAGING_OUT else "sleep 600 || exit 1"
        id_ = lab.start(body, inputs=["input"], outputs=["input"])
        wait_for(held.reached)
        assert lab.show(id_)["state"] == phase
        assert lab.howdah("cancel", id_, "--no-wait").code == 0
        held.released.touch()
        shown = cancelled(lab, id_)
    if phase in (JobState.PREPARING, JobState.STAGING_IN) or (when == "before" and phase is JobState.SUBMITTING):
        # FAILED: it met the tombstone before it began anything.
        assert lab.batch_jobs(shown) in ([], ["CANCELLED"], ["FAILED"])
    if phase is not JobState.STAGING_OUT:
        assert "ended" not in (lab.ledger.read_text() if lab.ledger.exists() else "")


def wait_for(path: Path) -> None:
    """Files tell no events to a shell; the test's own time limit ends this."""
    while not path.exists():
        time.sleep(0.05)


def test_cancelled_while_queued(lab: Lab) -> None:
    id_ = lab.start("true", resources={"queue": "down"})
    lab.until_state(id_, JobState.QUEUED)
    cancelled(lab, id_)
    assert lab.began() == 0


def test_cancelled_while_running(lab: Lab) -> None:
    id_ = lab.start("sleep 600 || exit 1")
    lab.until_state(id_, JobState.RUNNING)
    cancelled(lab, id_)
    assert lab.ledger.read_text().count("ended") == 0


def test_cancelled_while_running_a_program_that_does_not_listen(lab: Lab) -> None:
    id_ = lab.start("trap '' TERM INT HUP; while :; do sleep 1; done")
    lab.until_state(id_, JobState.RUNNING)
    cancelled(lab, id_)


def test_cancelled_while_running_on_a_machine_without_a_scheduler(lab: Lab) -> None:
    id_ = lab.start("sleep 601 & sleep 602", site="vm")
    lab.until_state(id_, JobState.RUNNING)
    cancelled(lab, id_)
