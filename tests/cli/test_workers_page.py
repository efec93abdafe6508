"""Workers as people see them, and what nobody serves."""

from datetime import UTC, datetime

from rich.console import Console

from howdah.cli import completion
from howdah.cli.answers import Workers
from howdah.cli.views.workers import workers_page
from howdah.models.answers import WorkerRow
from howdah.models.unserved import UnservedQueue
from howdah.steps.batch import CAPABILITIES

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
RUNS = WorkerRow(
    host="login1",
    pid="7",
    identity="howdah@login1/7",
    queues=("bigred.staging",),
    site="bigred",
    capabilities=("staging",),
    status="running",
    slots_used=3,
    slots_available=17,
    cpu=0.254,
    memory=0.5,
    seen=NOW,
    sdk="temporal-python 1",
    deployment="howdah",
    version="0.2.0-1f0c9a3e",
)


def lines(answer: Workers, *, width: int = 200) -> list[list[str]]:
    console = Console(width=width, color_system=None)
    with console.capture() as printed:
        console.print(workers_page(answer, NOW))
    return [line.split() for line in printed.get().splitlines()]


def test_a_worker_is_a_line_with_its_version_its_slots_and_how_busy_its_host_is() -> None:
    [_, row] = lines(Workers(workers=(RUNS,)))
    assert row[:5] == ["login1", "7", "bigred", "staging", "0.2.0-1f0c9a3e"]
    assert row[5:11] == ["running", "3", "of", "20", "25%", "50%"]


def test_a_worker_of_all_capabilities_and_one_of_a_bundle_say_so_briefly() -> None:
    whole = RUNS.model_copy(update={"capabilities": CAPABILITIES})
    bundle = RUNS.model_copy(update={"site": None, "bundle": "microscopy", "capabilities": ()})
    [_, first, second] = lines(Workers(workers=(whole, bundle)))
    assert first[2:4] == ["bigred", "all"]
    assert second[2:4] == ["bundle", "microscopy"]


def test_a_narrow_terminal_shows_fewer_columns_and_breaks_no_word() -> None:
    whole = RUNS.model_copy(update={"capabilities": CAPABILITIES, "slots_available": 10_267})
    part = RUNS.model_copy(update={"capabilities": CAPABILITIES[:2]})
    [head, row] = lines(Workers(workers=(whole,)), width=75)
    assert head == ["host", "pid", "serves", "capabilities", "version", "status", "busy"]
    assert row == ["login1", "7", "bigred", "all", "0.2.0-1f0c9a3e", "running", "3", "of", "10270"]
    [head, row, folded] = lines(Workers(workers=(part,)), width=45)
    assert head == ["host", "pid", "serves", "capabilities", "status"]
    assert row == ["login1", "7", "bigred", "control,", "running"]
    assert folded == ["submission"]


def test_what_nobody_serves_stands_below() -> None:
    waits = UnservedQueue(queue="bigred.staging", site="bigred", capability="staging", waiting=12)
    told = [" ".join(line) for line in lines(Workers(workers=(), unserved=(waits,)))]
    assert told[0].startswith("No workers.")
    assert told[2:] == ["Not served:", "site bigred has 12 steps waiting for staging and no worker"]


def test_slots_are_completed_by_what_they_can_be_of() -> None:
    assert completion.slots("st") == ["staging="]
    assert "workflows=" in completion.slots("")
