"""A workflow that tells which copy of the models it sees."""

from temporalio import workflow

from howdah.models import data


@workflow.defn(name="sandboxed")
class Sandboxed:
    @workflow.run
    async def run(self) -> int:
        return id(data)
