"""Workflows from before there was a key. The server says when each began, and nobody can date one back."""

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

_MOST = 10_000
"""Workflows whose answer is kept. To forget costs one look at the server."""


class Older:
    """`made`: when the key was, in seconds since 1970. Asked about what bears no signature, so seldom."""

    def __init__(self, client: Client, made: float) -> None:
        self._client, self._made = client, made
        self._runs: dict[str, str] = {}

    async def is_older(self, workflow: str) -> bool:
        """Whether the newest run of a workflow began before. Raises: RPCError when nobody answers."""
        if workflow not in self._runs:
            await self._look(workflow)
        return bool(self._runs.get(workflow))

    async def is_older_run(self, workflow: str, run: str) -> bool:
        """Of a run the same. The id may have been taken since by somebody else's."""
        if self._runs.get(workflow) != run:
            await self._look(workflow)
        return self._runs.get(workflow) == run

    async def _look(self, workflow: str) -> None:
        request = DescribeWorkflowExecutionRequest(
            namespace=self._client.namespace, execution=WorkflowExecution(workflow_id=workflow)
        )
        self._runs.pop(workflow, None)
        try:
            told = await self._client.workflow_service.describe_workflow_execution(request, retry=True)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return
            raise
        info = told.workflow_execution_info
        while len(self._runs) >= _MOST:
            self._runs.pop(next(iter(self._runs)))
        self._runs[workflow] = info.execution.run_id if info.start_time.ToNanoseconds() < self._made * 1e9 else ""
