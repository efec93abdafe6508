"""A bundle: a job type whose jobs wait until they are told to end."""

from pydantic import BaseModel
from temporalio import workflow

from howdah.plugins import JobType


class Spec(BaseModel):
    pass


@workflow.defn(name="standin")
class Standin:
    def __init__(self) -> None:
        self.word = ""

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self.word != "")
        return self.word

    @workflow.signal(name="go")
    def go(self, word: str) -> None:
        self.word = word


job_type = JobType("standin", "waits for a word", Spec, workflow="standin:Standin", task_queue="standin")
