"""Jobs and attempts for tests, made in one line."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from howdah.models.job import Attempt, Job
from howdah.models.spec import ExperimentSpec


def job_at(site: str, *, base: str = "/", results: str = "/nonexistent/results", origin: str = "", **spec: Any) -> Job:
    """A job with a name of its own; `spec` is what a user would write. Its attempts follow each other at once."""
    spec["retry"] = {"backoff": "0.001s", **spec.get("retry", {})}
    return Job(
        experiment=f"t-{uuid4().hex[:10]}",
        spec=ExperimentSpec.model_validate({"name": "t", "command": "true", **spec}),
        site=site,
        owner="tester",
        base=base,
        results=results,
        created=datetime.now(UTC),
        origin=origin,
    )


def attempt_at(site: str, number: int = 1, **job: Any) -> Attempt:
    found = job_at(site, **job)
    return Attempt.of(found, number=number, workflow_id=found.experiment, first_run_id=found.experiment)
