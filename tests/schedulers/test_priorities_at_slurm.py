"""Urgent before normal, and projects by their shares, all the way to sbatch."""

import uuid
from pathlib import Path

import pytest

from benchmarks.full_site import FullSite
from howdah.testing.slurm import PrivateSlurm
from howdah.workers.connection import Connection, connect
from tests.served import served

MOST = 2


@pytest.fixture
async def connection(own_temporal: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Connection:
    monkeypatch.setenv("TEMPORAL_ADDRESS", own_temporal)
    monkeypatch.setenv("HOWDAH_STATE", str(tmp_path / "state"))
    return await connect()


async def test_urgent_jobs_are_submitted_before_all_who_wait_and_projects_share_what_is_left(
    connection: Connection, shared_slurm: PrivateSlurm, tmp_path: Path
) -> None:
    """Of the order in which Slurm numbers those that are given a slot at once nothing is promised."""
    projects = {"big": {"share": 3}, "small": {"share": 1}}
    name = f"n{uuid.uuid4().hex[:8]}"
    site = shared_slurm.site(name, str(tmp_path / "scratch"), submitted=MOST, projects=projects)
    async with served(connection.client, site):
        found = await FullSite(connection, site, tmp_path).measure({"big": 3, "small": 1}, urgent=1)
    assert "urgent" in found.order[:MOST], found.order
    assert "small" in found.not_urgent[:3], found.order
