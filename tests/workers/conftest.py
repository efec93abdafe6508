"""State folders of our own, and a bundle with a job type that needs no site."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from temporalio.client import WorkflowHandle

from howdah.workers.connection import Connection, ensure_served
from howdah.workers.embedded.control import down, up
from howdah.workers.embedded.processes import lock_holders
from howdah.workers.state import StateFolder

BUNDLE = Path(__file__).parent / "bundle"
WITHIN = 60.0


def surroundings(folder: Path) -> dict[str, str]:
    """Variables of a user without any configuration, who has the bundle installed."""
    installed = folder / "installed" / "standin-1.0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: standin\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[howdah.job_types]\nstandin = standin:job_type\n")
    return {
        "HOWDAH_STATE": str(folder / "state"),
        "TEMPORAL_CONFIG_FILE": str(folder / "none.toml"),
        "PYTHONPATH": os.pathsep.join([str(installed.parent), str(BUNDLE), os.environ.get("PYTHONPATH", "")]),
    }


def settle(patch: pytest.MonkeyPatch, folder: Path) -> StateFolder:
    for name in [name for name in os.environ if name.startswith(("TEMPORAL_", "HOWDAH_"))]:
        patch.delenv(name)
    for name, value in surroundings(folder).items():
        patch.setenv(name, value)
    return StateFolder(folder / "state")


@pytest.fixture
async def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StateFolder]:
    """An empty state folder. Whatever the test started there is ended."""
    folder = settle(monkeypatch, tmp_path)
    yield folder
    await down()
    assert lock_holders(folder.fleet_lock) == []


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StateFolder]:
    """A fleet that runs, for tests that leave it so."""
    with pytest.MonkeyPatch.context() as patch:
        folder = settle(patch, tmp_path_factory.mktemp("fleet"))
        assert asyncio.run(up(detach=True))
        yield folder
        assert asyncio.run(down())


async def until(true: Callable[[], bool | Awaitable[bool]], within: float = WITHIN) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + within
    while True:
        now = true()
        if now if isinstance(now, bool) else await now:
            return
        assert time.monotonic() < deadline, "it did not become true"
        await asyncio.sleep(0.02)


async def started_job(connection: Connection, name: str) -> WorkflowHandle[object, str]:
    """A job of the bundle that its worker has taken up."""
    await ensure_served(connection, [], bundles=["standin"])
    handle: WorkflowHandle[object, str] = await connection.client.start_workflow(
        "standin", id=name, task_queue="standin", result_type=str
    )

    async def is_taken_up() -> bool:
        return (await handle.describe()).history_length >= 4

    await until(is_taken_up)
    return handle
