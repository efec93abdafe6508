"""What every scheduler must do: tell of jobs as they are, whatever programs print and records hold."""
# ruff: noqa: S101  # these are tests

from howdah.activities.evidence import decide
from howdah.models.batch import BatchState
from howdah.testing.scheduler_bench import Bench


class Looking:
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

    async def test_a_glance_and_a_kept_answer_tell_of_a_job_that_was_there_before(self, bench: Bench) -> None:
        going = await bench.submitted("sleep 300")
        seen = await bench.running(going)
        if (question := bench.scheduler.glance(fresh=60)) is not None:
            row = (await bench.shell.ask(question)).queue[going.key]
            assert (row.state, row.native_id) == (BatchState.RUNNING, seen.native_id)
        kept = (await bench.shell.ask(bench.scheduler.poll([going], fresh=60)))[going.key]
        assert decide(kept, missing_for=0).state is BatchState.RUNNING
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
