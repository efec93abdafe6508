"""A whole benchmark in small, on a real Slurm and sshd: every part of it measures something."""

import asyncio

import pytest

from benchmarks.ground import CLIENT, PARTS, SITE, ground
from benchmarks.makespan import measure, report
from benchmarks.sampling import Sampler, watched_by
from tests.conftest import skip_without_cluster
from tests.workers.conftest import until


@pytest.mark.slurm
@pytest.mark.sshd
async def test_two_jobs_are_measured_beside_a_bare_loop_and_empty_activities() -> None:
    await asyncio.to_thread(skip_without_cluster)
    async with ground() as here:
        sampler = Sampler(here, every=0.5)
        _, found = await asyncio.gather(sampler.run(seconds=1), measure(here, 2))
        client, pid = await here.client(), here.worker_pid(SITE)

        async def watches_nothing() -> bool:
            return await watched_by(client, pid) == 0

        await until(watches_nothing, within=60)  # a worker says now and then how many it watches
    assert found.bare and found.empty and found.howdah
    assert {"submit", "monitor", "cleanup"} < {step.name for times in found.times.values() for step in times.steps}
    assert found.spent["howdah"].keys() > {*PARTS, CLIENT}
    assert found.spent["howdah"]["temporal"] > 0
    assert found.queries["howdah"] > 0
    assert all(sample.worker_memory and sample.server_memory for sample in sampler.samples)
    assert "submit: under way" in {row[0] for row in report(found).tables[1].rows}
