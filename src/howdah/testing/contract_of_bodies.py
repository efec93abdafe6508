"""What every scheduler must do: how jobs end, and what a job finds."""
# ruff: noqa: S101  # these are tests

from howdah.models.batch import BatchState
from howdah.models.causes import FailureCause
from howdah.testing.scheduler_bench import Bench

ODD = 'it\'s "quoted" $HOME `id` $(id) \\ ! * ~ ; & | < > ( ) {{ }} # % é'


class HowJobsEnd:
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


class WhatJobsFind:
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
