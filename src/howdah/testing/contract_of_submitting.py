"""What every scheduler must do: take a job exactly once, and see it gone when it is cancelled."""
# ruff: noqa: S101  # these are tests

import asyncio

import pytest

from howdah.errors import NoSlot
from howdah.models.causes import FailureCause
from howdah.models.job import Cancelled
from howdah.testing.scheduler_bench import Bench, Ledger


class Submitting:
    async def test_a_job_submitted_many_times_at_once_runs_once(self, bench: Bench, ledger: Ledger) -> None:
        attempt = await bench.prepare(ledger.entry)
        jobs = await asyncio.gather(*(bench.shell.ask(bench.scheduler.submit(attempt)) for _ in range(5)))
        assert len({job.native_id for job in jobs}) == 1
        assert [job.found for job in jobs].count(False) == 1
        await bench.end(attempt)
        assert await ledger.keys() == [attempt.key]

    async def test_a_job_submitted_again_after_it_ended_does_not_run_again(self, bench: Bench, ledger: Ledger) -> None:
        attempt = await bench.submitted(ledger.entry)
        status = await bench.end(attempt)
        again = await bench.shell.ask(bench.scheduler.submit(attempt))
        assert again.found and again.native_id == status.native_id
        assert await ledger.keys() == [attempt.key]

    async def test_a_submission_whose_answer_was_never_noted_is_found_again(self, bench: Bench, ledger: Ledger) -> None:
        attempt = await bench.submitted(f"{ledger.entry}; sleep 300")
        await bench.shell.run(f"rm {attempt.folder}/.howdah/job")
        again = await bench.shell.ask(bench.scheduler.submit(attempt))
        assert again.found
        await bench.running(attempt)
        await ledger.written(attempt.key)
        assert (await bench.gone(attempt)).native_id == again.native_id
        assert await ledger.keys() == [attempt.key]

    async def test_a_job_whose_folder_was_purged_is_not_submitted(self, bench: Bench) -> None:
        attempt = await bench.prepare("true")
        await bench.shell.run(f"rm -r {attempt.folder}")
        await bench.refused(attempt, FailureCause.PURGED, "purged")

    async def test_a_job_is_not_submitted_from_the_folder_of_another(self, bench: Bench) -> None:
        attempt, other = await bench.prepare("true"), await bench.prepare("true")
        assert other.folder
        await bench.refused(attempt.at(other.folder), FailureCause.PURGED, "purged")

    async def test_a_full_site_takes_no_more(self, bench: Bench) -> None:
        first = await bench.submitted("until [ -e go ]; do sleep 0.1; done")
        full = bench.with_limits(submitted=1)
        second = await bench.prepare("true")
        with pytest.raises(NoSlot):
            await bench.shell.ask(full.submit(second))
        assert (await bench.shell.ask(full.submit(first))).found, "what is there already is not in its own way"
        await bench.shell.run(f"touch {first.folder}/go")
        await bench.end(first)
        assert not (await bench.shell.ask(bench.scheduler.submit(second))).found
        await bench.end(second)


class Cancelling:
    async def test_a_job_cancelled_before_it_was_submitted_is_not_submitted_any_more(self, bench: Bench) -> None:
        attempt = await bench.prepare("true")
        assert await bench.gone(attempt) == Cancelled(native_id=None, had_begun=False)
        await bench.refused(attempt, FailureCause.CANCELLED, "cancelled")

    async def test_a_running_job_that_is_cancelled_is_seen_gone(self, bench: Bench, ledger: Ledger) -> None:
        attempt = await bench.submitted(f"{ledger.entry}; sleep 300 && {ledger.entry}")
        await ledger.written(attempt.key)
        cancelled = await bench.gone(attempt)
        assert cancelled.had_begun and cancelled.native_id
        assert await ledger.keys() == [attempt.key]

    async def test_a_program_that_ignores_the_polite_signal_is_gone_all_the_same(
        self, bench: Bench, ledger: Ledger
    ) -> None:
        attempt = await bench.submitted(f"trap '' TERM INT HUP; {ledger.entry}; while :; do sleep 1; done")
        await ledger.written(attempt.key)
        assert (await bench.gone(attempt)).had_begun

    async def test_cancelling_again_or_after_the_end_does_no_harm(self, bench: Bench) -> None:
        attempt = await bench.submitted("true")
        await bench.end(attempt)
        first, second = await bench.gone(attempt), await bench.gone(attempt)
        assert first == second
        assert first.had_begun

    async def test_a_cancel_that_races_with_the_submission_leaves_nothing_running(
        self, bench: Bench, ledger: Ledger
    ) -> None:
        """Whatever comes first: after the cancel was answered no body begins."""
        attempts = [await bench.prepare(f"{ledger.entry}; sleep 300") for _ in range(5)]
        submits = [asyncio.ensure_future(bench.shell.ask(bench.scheduler.submit(attempt))) for attempt in attempts]
        cancelled = await asyncio.gather(*(bench.gone(attempt) for attempt in attempts))
        await asyncio.gather(*submits, return_exceptions=True)
        for attempt in attempts:
            await bench.gone(attempt)
        begun = {attempt.key for attempt, answer in zip(attempts, cancelled, strict=True) if answer.had_begun}
        assert set(await ledger.keys()) <= begun
