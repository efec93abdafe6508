"""A workflow that waits until somebody ends it, on every version of a deployment."""

from temporalio import workflow


@workflow.defn(name="patient")
class Patient:
    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)
