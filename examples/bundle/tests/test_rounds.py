"""A batch job is run again with more samples until its error is small enough."""

import pytest
from conftest import PrintingSite, Stage
from howdah_converge.activities import Judging
from howdah_converge.models import ConvergeSpec, Printed, Verdict
from temporalio.client import WorkflowFailureError
from temporalio.testing import ActivityEnvironment

from howdah.models.spec import ExperimentSpec


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("error 0.05\n", Verdict(error=0.05, is_enough=True)),
        ("error 0.5\nerror -0.2\n", Verdict(error=-0.2, is_enough=False)),
        ("error nan\n", Verdict(error=None, is_enough=False)),
        ("no error at all\n", Verdict(error=None, is_enough=False)),
    ],
)
async def test_the_last_error_that_was_printed_counts(text: str, verdict: Verdict) -> None:
    assert await ActivityEnvironment().run(Judging().judge, Printed(text=text, tolerance=0.1)) == verdict


def test_a_site_is_asked_for_a_plain_batch_job_that_knows_its_samples() -> None:
    spec = ConvergeSpec(name="t", type="converge", command="true", samples=10, tolerance=1)
    asked = spec.in_round(2).for_sites()
    assert type(asked) is ExperimentSpec
    assert asked.environment.variables == {"SAMPLES": "160"}


async def test_it_stops_as_soon_as_the_error_is_small_enough(stage: Stage) -> None:
    site = PrintingSite("error 0.9", "error 0.3", "error 0.05")
    progress = await (await stage.start(site, samples=10)).result()
    assert [attempt.number for attempt in progress.attempts] == [1, 2, 3]
    assert site.samples() == "160"
    assert progress.warnings == ()


async def test_after_the_last_round_what_there_is_comes_home_with_a_warning(stage: Stage) -> None:
    progress = await (await stage.start(PrintingSite("error 0.9", "error 0.3"), rounds=2)).result()
    assert progress.warnings == ("After 2 rounds its error is still 0.3.",)


async def test_a_program_that_prints_no_error_has_failed(stage: Stage) -> None:
    handle = await stage.start(PrintingSite("hello"))
    with pytest.raises(WorkflowFailureError) as failed:
        await handle.result()
    assert "no line 'error NUMBER'" in str(failed.value.cause)
