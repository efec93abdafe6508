"""A workflow whose words are to be sealed."""

from temporalio import workflow
from temporalio.exceptions import ApplicationError


@workflow.defn(name="sealed")
class Sealed:
    """Fails with what it was told, unless it is told to succeed."""

    def __init__(self) -> None:
        self.told: str | None = None

    @workflow.run
    async def run(self, word: str) -> str:
        workflow.upsert_memo({"word": word})
        await workflow.wait_condition(lambda: self.told is not None)
        if self.told == "fail":
            raise ApplicationError(f"it failed with {word}", word)
        return word

    @workflow.signal
    def end(self, how: str) -> None:
        self.told = how
