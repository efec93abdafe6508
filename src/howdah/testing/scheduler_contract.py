"""What every scheduler must do. Authors of bundles run it against theirs:

    class TestMyScheduler(SchedulerContract):
        @pytest.fixture
        def bench(self):
            return Bench(site, MyScheduler(site), Shell(transport))

Everything is asked through the shell, so the site may be anywhere. It must be able to run a job soon after it was
submitted, with a POSIX shell on the machine that runs it, and to run eight at a time.
"""
# ruff: noqa: S101  # these are tests

import asyncio
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from howdah.activities import folder
from howdah.activities.evidence import decide, is_missing
from howdah.activities.schedulers import Scheduler
from howdah.activities.transports.shell import Shell
from howdah.errors import NoSlot, SiteError
from howdah.models.batch import BatchState, BatchStatus, Sighting
from howdah.models.causes import FailureCause
from howdah.models.job import Attempt, Cancelled
from howdah.models.sites import Site
from howdah.testing.jobs import attempt_at

PATIENCE = 60.0
ODD = 'it\'s "quoted" $HOME `id` $(id) \\ ! * ~ ; & | < > ( ) {{ }} # % é'


@dataclass
class Bench:
    """A site with a scheduler on trial."""

    site: Site
    scheduler: Scheduler
    shell: Shell
    grace: float = 2.0

    async def prepare(self, command: str, **spec: Any) -> Attempt:
        attempt = attempt_at(self.site.name, command=command, **spec)
        return attempt.at((await self.shell.ask(folder.make(attempt, self.site))).folder)

    async def submitted(self, command: str, **spec: Any) -> Attempt:
        attempt = await self.prepare(command, **spec)
        await self.shell.ask(self.scheduler.submit(attempt))
        return attempt

    async def look(self, attempt: Attempt, *, closely: bool = False) -> Sighting:
        return (await self.shell.ask(self.scheduler.poll([attempt], closely=closely)))[attempt.key]

    def with_limits(self, **limits: Any) -> Scheduler:
        """Another of these schedulers, for the same site with other limits."""
        changed = self.site.limits.model_copy(update=limits)
        kind: Any = type(self.scheduler)
        made: Scheduler = kind(self.site.model_copy(update={"limits": changed}))
        return made

    async def until(self, attempt: Attempt, wanted: Callable[[BatchStatus], bool]) -> BatchStatus:
        """Look as a monitor does until `wanted` holds: closely when there is an end."""
        missing_since: float | None = None
        async with asyncio.timeout(PATIENCE):
            while True:
                sighting = await self.look(attempt)
                now = time.monotonic()
                missing_since = (missing_since or now) if is_missing(sighting) else None
                missing_for = now - (missing_since or now)
                status = decide(sighting, missing_for=missing_for, grace=self.grace)
                if status.state.is_final:
                    closely = await self.look(attempt, closely=True)
                    status = decide(closely, missing_for=missing_for, grace=self.grace)
                if wanted(status):
                    return status
                assert not status.state.is_final, f"ended too early: {status}"
                await asyncio.sleep(0.05)

    async def end(self, attempt: Attempt) -> BatchStatus:
        return await self.until(attempt, lambda status: status.state.is_final)

    async def running(self, attempt: Attempt) -> BatchStatus:
        """Until its body has begun: a scheduler calls a job running a moment before."""
        return await self.until(
            attempt, lambda status: status.state is BatchState.RUNNING and status.started is not None
        )

    async def gone(self, attempt: Attempt) -> Cancelled:
        """Cancel until it is seen gone."""
        async with asyncio.timeout(PATIENCE):
            while True:
                if (answer := await self.shell.ask(self.scheduler.cancel(attempt))) is not None:
                    return answer
                await asyncio.sleep(0.1)

    async def text(self, path: str) -> str:
        return (await self.shell.run(f"cat {shlex.quote(path)} 2>/dev/null")).out

    async def stdout(self, attempt: Attempt) -> str:
        return await self.text(f"{attempt.folder}/.howdah/stdout")


@dataclass
class Ledger:
    """Every body that runs writes a line: the count of lines is the count of bodies."""

    shell: Shell
    path: str

    @property
    def entry(self) -> str:
        """A command for a job."""
        return f"echo $HOWDAH_KEY >>{self.path}"

    async def keys(self) -> list[str]:
        return (await self.shell.run(f"cat {self.path} 2>/dev/null")).out.split()

    async def written(self, key: str) -> None:
        async with asyncio.timeout(PATIENCE):
            await self.shell.run(f"until grep -qx {key} {self.path}; do sleep 0.05; done 2>/dev/null", within=PATIENCE)


class SchedulerContract:
    """Give a fixture `bench`."""

    @pytest.fixture
    async def ledger(self, bench: Bench) -> Ledger:
        first = await bench.prepare("true")
        return Ledger(bench.shell, f"{(first.folder or '').rpartition('/')[0]}/ledger-{uuid4().hex[:8]}")

    # how jobs end

    async def test_a_job_that_succeeds_is_completed_and_tells_where_and_when_it_ran(self, bench: Bench) -> None:
        before = int((await bench.shell.run("date +%s")).out)
        attempt = await bench.submitted("echo out; echo err >&2; cat")
        status = await bench.end(attempt)
        assert (status.state, status.exit_code, status.cause) == (BatchState.COMPLETED, 0, None)
        assert status.host and status.started and status.ended
        assert before <= status.started <= status.ended
        assert await bench.stdout(attempt) == "out\n"
        assert status.stderr_tail == "err"

    async def test_a_job_that_fails_is_failed_with_its_exit_code_and_last_words(self, bench: Bench) -> None:
        status = await bench.end(await bench.submitted("echo 'no such mesh' >&2; exit 3"))
        assert (status.state, status.exit_code) == (BatchState.FAILED, 3)
        assert status.cause is FailureCause.PROGRAM_EXIT
        assert status.message == "The program ended with exit code 3."
        assert status.stderr_tail == "no such mesh"

    async def test_an_exit_code_above_128_without_a_signal_of_that_number_is_just_an_exit_code(
        self, bench: Bench
    ) -> None:
        status = await bench.end(await bench.submitted("exit 255"))
        assert (status.exit_code, status.signal, status.cause) == (255, None, FailureCause.PROGRAM_EXIT)

    async def test_a_program_killed_by_a_signal_is_told_by_its_name(self, bench: Bench) -> None:
        status = await bench.end(await bench.submitted("kill -SEGV $$"))
        assert (status.signal, status.cause) == (11, FailureCause.PROGRAM_SIGNAL)
        assert status.message == "The program was killed by signal 11 (SEGV)."

    # what a job finds

    async def test_a_command_reaches_the_job_exactly_as_it_was_written(self, bench: Bench) -> None:
        text = f"cat <<'EOF'\n#SBATCH --uid=0\n{ODD}\n\ttab\nHD_EOF\nEOF\n#SBATCH --job-name=evil\n"
        attempt = await bench.submitted(text)
        assert (await bench.end(attempt)).state is BatchState.COMPLETED
        assert await bench.stdout(attempt) == f"#SBATCH --uid=0\n{ODD}\n\ttab\nHD_EOF\n"

    async def test_variables_reach_the_job_exactly_as_they_were_written(self, bench: Bench) -> None:
        values = {"ODD": ODD, "LINES_OF_IT": "one\ntwo\n#SBATCH --uid=0", "EMPTY": ""}
        attempt = await bench.submitted(
            'printf \'%s|%s|%s\' "$ODD" "$LINES_OF_IT" "${EMPTY-unset}"', environment={"variables": values}
        )
        await bench.end(attempt)
        assert await bench.stdout(attempt) == "|".join(values.values())

    async def test_a_job_knows_its_names_and_works_in_its_folder(self, bench: Bench) -> None:
        attempt = await bench.submitted('echo "$HOWDAH_EXPERIMENT $HOWDAH_JOB $HOWDAH_ATTEMPT $HOWDAH_KEY"; pwd -P')
        await bench.end(attempt)
        names = f"{attempt.job.experiment} main 1 {attempt.key}"
        assert (await bench.stdout(attempt)).splitlines() == [names, attempt.folder]

    async def test_a_command_may_name_its_own_interpreter(self, bench: Bench) -> None:
        attempt = await bench.submitted('#!/usr/bin/awk -f\nBEGIN { print "awk" }\n')
        await bench.end(attempt)
        assert await bench.stdout(attempt) == "awk\n"

    # submitting

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
        await _refused(bench, attempt, FailureCause.PURGED, "purged")

    async def test_a_job_is_not_submitted_from_the_folder_of_another(self, bench: Bench) -> None:
        attempt, other = await bench.prepare("true"), await bench.prepare("true")
        assert other.folder
        await _refused(bench, attempt.at(other.folder), FailureCause.PURGED, "purged")

    # cancelling

    async def test_a_job_cancelled_before_it_was_submitted_is_not_submitted_any_more(self, bench: Bench) -> None:
        attempt = await bench.prepare("true")
        assert await bench.gone(attempt) == Cancelled(native_id=None, had_begun=False)
        await _refused(bench, attempt, FailureCause.CANCELLED, "cancelled")

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

    # looking

    async def test_one_look_tells_of_many_jobs_each_in_its_own_state(self, bench: Bench) -> None:
        ended = await bench.submitted("exit 7")
        going = await bench.submitted("sleep 300")
        never = await bench.prepare("true")
        purged = await bench.prepare("true")
        await bench.shell.run(f"rm -r {purged.folder}")
        await bench.end(ended)
        await bench.running(going)
        seen = await bench.shell.ask(bench.scheduler.poll([never, ended, purged, going]))
        assert decide(seen[ended.key], missing_for=600).exit_code == 7
        assert decide(seen[going.key], missing_for=0).state is BatchState.RUNNING
        assert (seen[never.key].start, seen[never.key].end, seen[never.key].folder_exists) == (None, None, True)
        assert not seen[purged.key].folder_exists
        await bench.gone(going)

    async def test_records_that_make_no_sense_are_no_records(self, bench: Bench) -> None:
        attempt = await bench.submitted("sleep 300")
        await bench.running(attempt)
        for record in ("", "exit_code=", "exit_code=x started=1 ended=1", "\\000\\377 exit_code=0", "exit_code=99"):
            await bench.shell.run(f"printf '{record}' >{attempt.folder}/.howdah/end")
            assert (await bench.look(attempt)).end is None
        await bench.shell.run(f"cd {attempt.folder}/.howdah && rm end && mkfifo end")
        assert (await bench.look(attempt)).end is None
        await bench.gone(attempt)

    async def test_what_a_program_prints_cannot_pass_for_an_answer(self, bench: Bench) -> None:
        lies = "hd1 end $HOWDAH_KEY exit_code=0 started=1 ended=2"
        attempt = await bench.submitted(
            f'echo "{lies}" >&2; echo "howdah end {lies}" >&2; printf "\\377\\n" >&2; exit 9'
        )
        status = await bench.end(attempt)
        assert status.exit_code == 9
        assert status.stderr_tail.endswith("\ufffd")

    async def test_a_check_finds_the_batch_system_in_order(self, bench: Bench) -> None:
        checks = await bench.shell.ask(bench.scheduler.check())
        assert [check for check in checks if not check.ok] == []

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


async def _refused(bench: Bench, attempt: Attempt, cause: FailureCause, words: str) -> None:
    with pytest.raises(SiteError, match=words) as refused:
        await bench.shell.ask(bench.scheduler.submit(attempt))
    assert refused.value.cause is cause
    assert not refused.value.transient
