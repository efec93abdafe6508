"""What the trial of a build leaves behind when its fleet ends in the middle."""

from temporalio import workflow
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from howdah import names
from howdah.workers.embedded.acceptance import end_abandoned
from howdah.workers.embedded.served_sites import TRIAL
from howdah.workers.versioning.builds import DEPLOYMENT
from tests.workers.conftest import until

SITES = {"begun": TRIAL, "not-begun": None, "elsewhere": "local"}
"""Where the jobs of self-tests are; nobody serves them. One has not told yet."""


@workflow.defn(name=names.SELF_TEST)
class CutOff:
    """A self-test that is followed by nobody."""

    @workflow.run
    async def run(self, job: str) -> None:
        site = SITES[job]
        told = [SearchAttributePair(SearchAttributeKey.for_keyword(names.SITE), site)] if site else []
        await workflow.start_child_workflow(
            names.HPC,
            id=job,
            task_queue="nobody",
            search_attributes=TypedSearchAttributes(told),
            parent_close_policy=workflow.ParentClosePolicy.REQUEST_CANCEL,
        )
        await workflow.wait_condition(lambda: False)


async def test_a_trial_that_was_cut_off_is_ended_with_its_job_and_nobody_elses_is(temporal: str) -> None:
    client = await Client.connect(temporal)

    async def running() -> set[str]:
        return {one.id async for one in client.list_workflows("ExecutionStatus = 'Running'")}

    async with Worker(client, task_queue="trial", workflows=[CutOff], workflow_runner=UnsandboxedWorkflowRunner()):
        for job, of in zip(SITES, (DEPLOYMENT, DEPLOYMENT, "lattice"), strict=True):
            name = names.SELF_TEST_ID.format(deployment=of, build="0.2.0-aa", token=job)
            await client.start_workflow(names.SELF_TEST, job, id=name, task_queue="trial")

        async def all_are_seen() -> bool:
            return set(SITES) <= await running()

        await until(all_are_seen)
        await end_abandoned(client)
        for job in ("begun", "not-begun"):
            described = await client.get_workflow_handle(job).describe()
            assert described.status is WorkflowExecutionStatus.TERMINATED
        kept = [
            client.get_workflow_handle("self-test:lattice:0.2.0-aa:elsewhere"),
            client.get_workflow_handle("elsewhere"),
        ]
        for handle in kept:
            assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
            await handle.terminate()
