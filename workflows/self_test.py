"""What a new version does before experiments begin on it: replay what there is, and carry out a job of its own."""

from datetime import timedelta
from typing import TypeVar

from pydantic import BaseModel
from temporalio import workflow
from temporalio.exceptions import ApplicationError, ChildWorkflowError
from temporalio.workflow import ParentClosePolicy

from howdah import names
from howdah.models.job import Job
from howdah.models.progress import Progress
from howdah.models.spec import ExperimentSpec, Keep
from howdah.models.versions import Follow, Followed, Ground, Replay, SelfTest, SelfTested
from howdah.steps import Step, versions

In = TypeVar("In", bound=BaseModel)
Out = TypeVar("Out")

LIVES = timedelta(minutes=15)
"""The job ends after that by itself, should nobody be left to follow it."""
FAILED = "SelfTestFailed"


@workflow.defn(name=names.SELF_TEST)
class HowdahSelfTest:
    """Runs on the version that is tried, and so do its steps and its job."""

    @workflow.run
    async def run(self, ask: SelfTest = SelfTest()) -> SelfTested:  # noqa: B008  # frozen
        """Raises when something does not fit: some only look at how it ends."""
        found = SelfTested(
            build=_build(),
            recorded=await _do(versions.replay, Replay(recorded=True)),
            running=await _do(versions.replay, Replay(running=True, most=ask.most)),
        )
        if found.passed:
            ground = await _do(versions.find_ground, ask)
            if ground.site is not None:
                found = await _with_job(found, _job(ground, ground.site, ask.results))
        if not found.passed:
            raise ApplicationError(f"{found.build} does not pass.", found, type=FAILED, non_retryable=True)
        return found


async def _do(step: Step[In, Out], arg: In) -> Out:
    """By a worker of this very build."""
    return await step(arg, on=versions.queue(workflow.info().task_queue, _build()))


def _build() -> str:
    version = workflow.info().get_current_deployment_version()
    if version is None:
        raise ApplicationError("Its worker tells no version.", type=FAILED, non_retryable=True)
    return version.build_id


def _job(ground: Ground, site: str, results: str) -> Job:
    """It asks for nothing and needs nothing. Its name is one that nobody else chooses."""
    name = f"self-test-{workflow.uuid4().hex[:8]}"
    spec = ExperimentSpec(name="self-test", site=site, command="true", expires=LIVES, keep=Keep.NEVER)
    return Job(
        experiment=name,
        spec=spec,
        site=site,
        owner="howdah",
        base="/",
        results=f"{results.rstrip('/')}/{name}",
        created=workflow.now(),
        origin=ground.origin,
    )


async def _with_job(found: SelfTested, job: Job) -> SelfTested:
    """The job is no child that could be left alone: it ends before this does, one way or the other."""
    found = found.model_copy(update={"site": job.site, "experiment": job.experiment})
    child = await workflow.start_child_workflow(
        names.HPC,
        job,
        id=job.experiment,
        result_type=Progress,
        parent_close_policy=ParentClosePolicy.REQUEST_CANCEL,
    )
    followed = await _do(versions.follow, Follow(id=job.experiment))
    if followed.trouble:
        return found.model_copy(update={"trouble": _sentence(job, followed)})
    try:
        await child
    except ChildWorkflowError as error:
        followed = Followed(state="ended", trouble=str(error.cause or error))
        return found.model_copy(update={"trouble": _sentence(job, followed)})
    return found


def _sentence(job: Job, followed: Followed) -> str:
    return f"its job {job.experiment} at site {job.site} did not succeed: {followed.trouble}"
