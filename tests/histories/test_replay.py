"""What began under an earlier release goes on under this one."""

from importlib.resources import files
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from howdah.workers.sandbox import CONTRACT, workflow_runner
from howdah.workers.versioning.replaying import as_recorded
from howdah.workflows.hpc_job import HpcJob
from howdah.workflows.site_desk import SiteDesk
from howdah.workflows.site_slots import SiteSlots

RECORDED = sorted(Path(str(files("howdah"))).joinpath("histories").glob("*.json"))
AT_LEAST = {"hpc": 5, "desk": 2, "slots": 2}


@pytest.mark.parametrize("kind", AT_LEAST)
def test_histories_were_recorded(kind: str) -> None:
    assert len([path for path in RECORDED if path.stem.startswith(f"{kind}-")]) >= AT_LEAST[kind]


def test_every_recorded_history_comes_with_the_package() -> None:
    assert list(Path(__file__).parent.rglob("*.json")) == []


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
async def test_a_recorded_history_replays(path: Path) -> None:
    replayer = Replayer(
        workflows=[HpcJob, SiteDesk, SiteSlots],
        workflow_runner=workflow_runner(CONTRACT),
        data_converter=as_recorded(),
    )
    await replayer.replay_workflow(WorkflowHistory.from_json(path.stem, path.read_text()))
