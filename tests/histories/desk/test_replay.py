"""A desk that was opened under an earlier release goes on under this one."""

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from howdah.workers.sandbox import workflow_runner
from howdah.workflows.site_desk import SiteDesk

RECORDED = sorted(Path(__file__).parent.glob("*.json"))


def test_histories_were_recorded() -> None:
    assert len(RECORDED) >= 2


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
async def test_a_recorded_history_of_a_desk_replays(path: Path) -> None:
    replayer = Replayer(workflows=[SiteDesk], workflow_runner=workflow_runner(), data_converter=pydantic_data_converter)
    await replayer.replay_workflow(WorkflowHistory.from_json(path.stem, path.read_text()))
