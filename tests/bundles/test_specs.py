"""What becomes of the spec of a bundle's job type where the bundle is installed, and where it is not."""

import pytest
from pydantic import ValidationError
from temporalio.api.common.v1 import Payload

from howdah.errors import ConfigError
from howdah.models.job import Attempt, Job, Resolution
from howdah.models.spec import ExperimentSpec, ForeignSpec
from howdah.models.units import Count
from howdah.testing.jobs import job_at
from howdah.workers.memory import most_memory
from howdah.workers.payloads import data_converter
from howdah.workflows.answering import bad_answer
from howdah.workflows.course import Course, course_at, refusal, takes_an_attempt, told_changes


class DiceSpec(ExperimentSpec):
    throws: Count = 1
    sides: Count

    def for_sites(self) -> ExperimentSpec:
        plain = super().for_sites()
        return plain.model_copy(update={"command": f"{plain.command} {self.throws} {self.sides}"})


SPEC = DiceSpec(name="t", type="dice", command="throw", sides=6)


def job(spec: ExperimentSpec = SPEC) -> Job:
    return job_at("local").model_copy(update={"spec": spec})


async def carried(value: object, kind: type) -> object:
    converter = data_converter()
    payloads: list[Payload] = await converter.encode([value])
    (back,) = await converter.decode(payloads, [kind])
    return back


async def test_a_spec_goes_through_whom_it_is_foreign_to_and_loses_nothing() -> None:
    ours = job()
    foreign = await carried(ours, Job)
    assert isinstance(foreign, Job)
    assert type(foreign.spec) is ForeignSpec
    again = await carried(foreign, Job)
    assert isinstance(again, Job)
    assert again.of(DiceSpec) == ours


async def test_a_plain_job_is_written_without_its_type() -> None:
    (payload,) = await data_converter().encode([job_at("local")])
    assert b'"type"' not in payload.data


async def test_sites_are_told_of_a_plain_batch_job_whatever_the_type() -> None:
    told = await carried(Attempt.of(job().for_steps, number=1, workflow_id="w", first_run_id="r"), Attempt)
    assert isinstance(told, Attempt)
    assert type(told.job.spec) is ExperimentSpec
    assert (told.job.spec.type, told.job.spec.command) == ("hpc", "throw 1 6")
    assert job(ExperimentSpec(name="t", command="true")).for_steps.spec == ExperimentSpec(name="t", command="true")


async def test_an_answer_changes_keys_that_only_the_bundle_knows() -> None:
    wish = DiceSpec(name="t", type="dice", command="throw", sides=20)
    answer = await carried(Resolution(retry=True, spec=wish), Resolution)
    assert isinstance(answer, Resolution)
    changed = job().changed_by(answer)
    assert changed.spec == wish
    assert told_changes(job(), changed) == ("sides: 6 -> 20",)
    assert takes_an_attempt(job(), changed)
    assert course_at("batch.stage_out", "output_missing", job(), changed) is Course.ATTEMPT


def test_an_answer_that_does_not_fit_the_job_type_is_refused_in_words() -> None:
    wrong = ForeignSpec.model_validate({"name": "t", "type": "dice", "command": "throw", "sides": 0})
    assert "does not fit the job type: sides" in bad_answer(job(), Resolution(retry=True, spec=wrong))


def test_one_experiment_does_not_become_another_type() -> None:
    other = job().model_copy(update={"spec": ExperimentSpec(name="t", command="throw")})
    assert "'type' cannot be changed" in refusal(job(), other, begun=False)


def test_a_plain_experiment_takes_no_keys_that_it_does_not_know() -> None:
    with pytest.raises(ValidationError):
        Job.model_validate({**job().model_dump(mode="json"), "spec": {"name": "t", "command": "true", "sides": 6}})


@pytest.mark.parametrize(("told", "bytes_"), [(None, 512), ("none", None), ("2K", 2048)])
def test_a_bundle_has_half_of_the_memory_if_nothing_is_said(told: str | None, bytes_: int | None) -> None:
    assert most_memory(told, 1024) == bytes_


def test_a_limit_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="HOWDAH_BUNDLE_MEMORY: 'much'"):
        most_memory("much", 1024)
