"""A workflow that does a little of everything that can be asked of one."""

from datetime import timedelta

from temporalio import activity, workflow


@activity.defn(name="greet")
async def greet(name: str) -> str:
    return f"hello {name}"


@activity.defn(name="tick")
async def tick() -> str:
    return "tack"


@workflow.defn(name="asked_child")
class AskedChild:
    @workflow.run
    async def run(self) -> str:
        within = timedelta(seconds=10)
        told: str = await workflow.execute_activity("tick", start_to_close_timeout=within, result_type=str)
        return told


@workflow.defn(name="asked")
class Asked:
    """Goes on with a fresh history once, then waits until it is told to end."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.ended = False

    @workflow.run
    async def run(self, fresh: bool = False) -> list[str]:
        if not fresh:
            workflow.continue_as_new(True)
        within = timedelta(seconds=10)
        told = await workflow.execute_activity("greet", "you", start_to_close_timeout=within, result_type=str)
        child = await workflow.execute_child_workflow(
            "asked_child", id=f"{workflow.info().workflow_id}/child", result_type=str
        )
        await workflow.wait_condition(lambda: self.ended)
        return [told, child, *self.heard]

    @workflow.signal
    def note(self, word: str = "nothing") -> None:
        self.heard.append(word)

    @workflow.update
    def end(self) -> bool:
        self.ended = True
        return True

    @workflow.query
    def words(self) -> list[str]:
        return self.heard
