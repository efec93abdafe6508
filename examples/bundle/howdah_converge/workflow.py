"""The job type: a batch job, a look at what it printed, and another one with more samples until it has converged."""

from temporalio import workflow

from howdah.models.causes import FailureCause
from howdah.models.job import Collect, Job
from howdah.models.progress import Failure, Progress
from howdah.models.states import JobState
from howdah.workflows.attempts import OnceMore
from howdah.workflows.hpc_job import HpcJob
from howdah.workflows.supervised import JobFailed
from howdah_converge.models import ConvergeSpec, Printed
from howdah_converge.steps import judge


@workflow.defn(name="converge")
class Converge(HpcJob):
    @workflow.init
    def __init__(self, job: Job) -> None:
        super().__init__(job.of(ConvergeSpec))

    @workflow.run
    async def run(self, job: Job) -> Progress:
        return await super().run(job)

    @property
    def spec(self) -> ConvergeSpec:
        """As operators want it by now."""
        spec = self.job.spec
        assert isinstance(spec, ConvergeSpec)
        return spec

    def told(self) -> Job:
        """Each round has samples of its own. Of the rounds before only the chronicle knows, which outlives this run."""
        return self.job.model_copy(update={"spec": self.spec.in_round(self.rounds)}).for_steps

    async def judge(self, collect: Collect) -> None:
        printed = Printed(text=await self.last_words(collect), tolerance=self.spec.tolerance)
        verdict = await self.step(judge, printed, at=collect.attempt.site, state=JobState.STAGING_OUT)
        if verdict.is_enough:
            return
        if verdict.error is None:
            raise JobFailed(Failure(cause=FailureCause.PROGRAM_EXIT, message="It printed no line 'error NUMBER'."))
        if self.rounds + 1 < self.spec.rounds:
            raise OnceMore(f"its error is {verdict.error:g}, more than {self.spec.tolerance:g}")
        self.chronicle.warn(f"After {self.rounds + 1} rounds its error is still {verdict.error:g}.")
