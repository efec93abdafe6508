"""What Temporal is told of how a step went: what comes again, what waits for an operator, what is a bug."""

import asyncio
from dataclasses import replace

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from howdah.errors import CredentialsRefused, DataError, Rejected, SiteError, SiteUnreachable
from howdah.models.desk import Part
from howdah.models.job import Attempt, Workdir
from howdah.models.progress import Live
from howdah.steps import TOLERATED, at_leisure, batch, carries_out, heartbeats, report, seconds
from howdah.tally import Tally
from howdah.testing.jobs import attempt_at


class Site:
    """A site whose `prepare` fails with what the test says."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    @carries_out(batch.prepare)
    async def prepare(self, attempt: Attempt) -> Workdir:
        if self.error:
            raise self.error
        return Workdir(folder="/")


@pytest.fixture
def site() -> Site:
    return Site()


def as_step(activity_id: str = "1", attempt: int = 1) -> ActivityEnvironment:
    environment = ActivityEnvironment()
    before = [None, {"forgiven": attempt - 1}] if attempt > 1 else []
    environment.info = replace(environment.info, activity_id=activity_id, attempt=attempt, heartbeat_details=before)
    return environment


async def told(site: Site, error: Exception, environment: ActivityEnvironment) -> ApplicationError:
    site.error = error
    with pytest.raises(ApplicationError) as caught:
        await environment.run(site.prepare, attempt_at("here"))
    return caught.value


@pytest.mark.parametrize(
    "error",
    [
        CredentialsRefused("Permission denied."),
        SiteUnreachable("No route.", part=Part.LOGIN),
        SiteError("No room.", part=Part.SCRATCH),
    ],
)
async def test_what_the_whole_site_is_to_blame_for_comes_again(site: Site, error: SiteError) -> None:
    assert not (await told(site, error, as_step())).non_retryable


@pytest.mark.parametrize("error", [Rejected("no such account"), DataError("too big"), SiteError("odd")])
async def test_a_refusal_of_one_job_waits_for_an_operator(site: Site, error: SiteError) -> None:
    assert (await told(site, error, as_step())).non_retryable


async def test_a_person_who_asks_a_site_that_is_out_of_order_is_told_at_once(site: Site) -> None:
    question = as_step()
    question.info = replace(question.info, workflow_id=None, workflow_run_id=None)
    error = await told(site, SiteUnreachable("No route.", part=Part.LOGIN), question)
    assert error.non_retryable
    assert error.message == "No route."


async def test_a_step_that_has_long_waited_for_its_site_is_not_given_up_for_one_hiccup(site: Site) -> None:
    step = as_step("waited", attempt=500)
    assert not (await told(site, OSError("too many open files"), step)).non_retryable
    assert not (await told(site, OSError("too many open files"), step)).non_retryable
    assert (await told(site, OSError("too many open files"), step)).non_retryable


async def test_what_ended_well_begins_its_count_anew(site: Site) -> None:
    step = as_step("mended")
    for _ in range(2):
        await told(site, KeyError("odd"), step)
    site.error = None
    await step.run(site.prepare, attempt_at("here"))
    assert not (await told(site, KeyError("odd"), step)).non_retryable


def test_bugs_are_counted_for_each_step_and_a_bounded_number_of_steps() -> None:
    bugs = Tally(TOLERATED, remembered=2)
    assert [bugs.met("a") for _ in range(TOLERATED)] == [False, False, True]
    assert [bugs.met("a") for _ in range(TOLERATED)] == [False, False, True], "whoever tries again by hand may hope"
    for name in ("a", "a", "b", "c", "a"):
        assert not bugs.met(name)
    assert len(bugs._met) == 2


async def test_a_step_that_waits_is_handed_back_when_its_worker_stops() -> None:
    environment = as_step()
    begun, left = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.set()

    async def step() -> None:
        await at_leisure(wait())

    running = asyncio.create_task(environment.run(step))
    await begun.wait()
    environment.worker_shutdown()
    with pytest.raises(ApplicationError) as caught:
        await running
    assert not caught.value.non_retryable
    assert left.is_set()


async def test_words_of_a_site_that_are_no_unicode_do_not_end_the_step_that_tells_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(heartbeats, "BETWEEN", 0.0)
    sent, told = asyncio.Queue[Live](), list[Live]()
    environment = as_step()
    environment.info = replace(environment.info, heartbeat_timeout=seconds(30))
    environment.on_heartbeat = sent.put_nowait

    class Telling:
        @carries_out(batch.prepare)
        async def prepare(self, attempt: Attempt) -> Workdir:
            report(Live(doing="waits", reason="It said: Gr\udcfc\udcdfe", needs="mend \udcff"))
            told.append(await sent.get())
            return Workdir(folder="/")

    await environment.run(Telling().prepare, attempt_at("here"))
    assert told[0].reason == "It said: Gr\ufffd\ufffde"
    assert told[0].model_dump_json()


async def test_what_ends_the_waiting_ends_the_step() -> None:
    async def refuse() -> None:
        raise SiteUnreachable("no chair")

    async def step() -> None:
        await at_leisure(asyncio.sleep(0))
        await at_leisure(refuse())

    with pytest.raises(SiteUnreachable):
        await as_step().run(step)
