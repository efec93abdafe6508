"""Every step has a place, and exactly one."""

from pathlib import Path

import pytest

from howdah.errors import ConfigError
from howdah.models.sites import ForkSite
from howdah.names import WORKFLOW_QUEUE
from howdah.steps import batch
from howdah.steps.batch import CAPABILITIES, CONTROL, MONITORING
from howdah.workers.composition import CAPABILITY_OF, site_queues, step_name, workflow_queue
from howdah.workflows.hpc_job import HpcJob


async def test_the_queues_of_a_site_carry_out_every_step_once(tmp_path: Path) -> None:
    site = ForkSite(name="here", scratch=str(tmp_path))
    async with site_queues(site) as here:
        queues = here.queues
        assert [queue.name for queue in queues] == [f"here.{capability}" for capability in CAPABILITIES]
        served = [(step_name(one), queue.name.rpartition(".")[2]) for queue in queues for one in queue.activities]
        served.remove((batch.submit.name, CONTROL))  # for the release before this one, which asks for it there
        assert sorted(served) == sorted(CAPABILITY_OF.items())


async def test_only_the_capabilities_asked_for_are_served(tmp_path: Path) -> None:
    async with site_queues(ForkSite(name="here", scratch=str(tmp_path)), [MONITORING]) as here:
        assert [queue.name for queue in here.queues] == ["here.monitoring"]


def test_the_queue_of_workflows_holds_the_built_in_job_types() -> None:
    queue = workflow_queue()
    assert queue.name == WORKFLOW_QUEUE
    assert HpcJob in queue.workflows


def test_whoever_does_not_see_the_built_in_job_types_takes_no_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("howdah.workers.composition.built_in", lambda kind: {})
    with pytest.raises(ConfigError, match="job types"):
        workflow_queue()
