"""What every scheduler must do: list the batch jobs that carry a key, and tell by their folders whose they are."""
# ruff: noqa: S101  # these are tests

import shlex

import pytest

from howdah.errors import SiteError
from howdah.models.answers import BatchRow
from howdah.models.batch import BatchState
from howdah.models.job import Attempt
from howdah.testing.scheduler_bench import Bench, Ledger

OURS, OTHERS = "ours-1", "theirs-2"


class Listing:
    async def test_a_job_is_listed_with_its_folder_its_origin_and_its_age_until_it_has_ended(
        self, bench: Bench
    ) -> None:
        going = await bench.submitted("sleep 300", origin=OURS)
        ended = await bench.submitted("true", origin=OURS)
        await bench.running(going)
        await bench.end(ended)
        (row,) = [row for row in await bench.jobs() if row.state is not BatchState.COMPLETING]
        assert (row.key, row.folder, row.state) == (going.key, going.folder, BatchState.RUNNING)
        assert (row.marked, row.origin, row.experiment) == (True, OURS, going.job.experiment)
        assert row.native_id == (await bench.gone(going)).native_id
        assert row.age is not None and 0 <= row.age < 300

    async def test_a_folder_without_an_origin_or_with_a_senseless_one_has_none(self, bench: Bench) -> None:
        attempt = await bench.submitted("sleep 300")
        await bench.running(attempt)
        for text in (None, "", "one two three", "$(id) x", "\\377 x", "x" * 65 + " y", "alone"):
            if text is not None:
                await bench.shell.run(f"printf '{text}' >{attempt.folder}/.howdah/origin")
            row = await _row(bench, attempt)
            assert (row.marked, row.origin, row.experiment) == (True, "", "")
        await bench.shell.run(f"cd {attempt.folder}/.howdah && rm origin && mkfifo origin")
        assert (await _row(bench, attempt)).origin == ""
        await bench.gone(attempt)

    async def test_a_folder_with_another_key_or_none_marks_nothing(self, bench: Bench) -> None:
        attempt = await bench.submitted("sleep 300", origin=OURS)
        await bench.running(attempt)
        key = f"{attempt.folder}/.howdah/key"
        await bench.shell.run(f"cp {key} {key}.kept; echo hd-another >{key}")
        assert not (await _row(bench, attempt)).marked
        await bench.shell.run(f"rm {key}")
        row = await _row(bench, attempt)
        assert (row.marked, row.origin, row.folder) == (False, "", attempt.folder)
        await bench.shell.run(f"mv {key}.kept {key}")
        assert (await bench.gone(attempt)).had_begun

    async def test_a_cancel_for_an_origin_leaves_alone_what_is_not_of_it(self, bench: Bench, ledger: Ledger) -> None:
        theirs = await bench.submitted(f"{ledger.entry}; sleep 300", origin=OTHERS)
        nobodys = await bench.submitted(f"{ledger.entry}; sleep 300")
        for attempt in (theirs, nobodys, theirs.at("/nonexistent")):
            await ledger.written(attempt.key)
            with pytest.raises(SiteError, match="does not say that the batch job") as refused:
                await bench.shell.ask(bench.scheduler.cancel(attempt, origin=OURS))
            assert not refused.value.transient
        for attempt in (theirs, nobodys):
            assert (await _row(bench, attempt)).state is BatchState.RUNNING
            there = await bench.shell.run(f"ls {shlex.quote(attempt.folder or '')}/.howdah/cancel")
            assert there.code, "no tombstone either: it may yet have to begin"
            await bench.gone(attempt)

    async def test_a_cancel_for_its_origin_ends_a_job_known_by_a_row_alone(self, bench: Bench, ledger: Ledger) -> None:
        attempt = await bench.submitted(f"{ledger.entry}; sleep 300", origin=OURS)
        await ledger.written(attempt.key)
        row = await _row(bench, attempt)
        while (answer := await bench.shell.ask(bench.scheduler.cancel(row, origin=OURS))) is None:
            continue
        assert answer.had_begun and answer.native_id == row.native_id
        assert [one.key for one in await bench.jobs() if one.key == row.key] == []


async def _row(bench: Bench, attempt: Attempt) -> BatchRow:
    (row,) = [row for row in await bench.jobs() if row.key == attempt.key]
    return row
