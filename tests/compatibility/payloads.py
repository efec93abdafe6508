"""What travelled in the recorded histories: who said it, which model it is, and the JSON itself."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.message import Message
from pydantic import BaseModel
from temporalio.api.common.v1 import Payloads
from temporalio.client import WorkflowHistory

from howdah import names
from howdah.models.desk import Pause, Report, Resume, SiteState
from howdah.models.job import Job, Resolution
from howdah.models.slots import Answer, Ask, SlotsKept
from howdah.workers.versioning.builds import package_folder
from tests.compatibility.record import steps

HISTORIES = sorted((package_folder() / "histories").glob("*.json"))
ASKED: dict[str, type[BaseModel]] = {
    names.HPC: Job,
    names.SITE_DESK: SiteState,
    names.SITE_SLOTS: SlotsKept,
    names.RESOLVE: Resolution,
    names.PAUSE: Pause,
    names.RESUME: Resume,
    names.REPORT: Report,
    names.EXCHANGE: Ask,
}
"""By the name of a workflow, an update or a signal."""
ANSWERED: dict[str, type[BaseModel]] = {names.EXCHANGE: Answer, names.PAUSE: SiteState, names.RESUME: SiteState}
STEPS = {step.name: step for step in steps()}


@dataclass(frozen=True)
class Said:
    what: str
    kind: type[BaseModel]
    value: Any
    is_answer: bool = False


def release_of(path: Path) -> str:
    """`0.1.0` of `hpc-0.1.0-succeeds.json`."""
    return path.stem.split("-")[1]


def said_in(path: Path) -> Iterator[Said]:
    events = WorkflowHistory.from_json(path.stem, path.read_text()).events
    scheduled: dict[int, str] = {}
    accepted: dict[str, str] = {}
    for event in events:
        kind = event.WhichOneof("attributes")
        told: Any = getattr(event, str(kind))
        match kind:
            case "workflow_execution_started_event_attributes":
                yield from _said(told.workflow_type.name, ASKED.get(told.workflow_type.name), told.input)
            case "activity_task_scheduled_event_attributes":
                name = scheduled[event.event_id] = told.activity_type.name
                yield from _said(name, STEPS[name].takes, told.input)
            case "activity_task_completed_event_attributes":
                name = scheduled[told.scheduled_event_id]
                yield from _said(name, STEPS[name].gives, told.result, is_answer=True)
            case "workflow_execution_signaled_event_attributes":
                yield from _said(told.signal_name, ASKED.get(told.signal_name), told.input)
            case "workflow_execution_update_accepted_event_attributes":
                asked = told.accepted_request.input
                accepted[told.accepted_request.meta.update_id] = asked.name
                yield from _said(asked.name, ASKED.get(asked.name), asked.args)
            case "workflow_execution_update_completed_event_attributes":
                name = accepted[told.meta.update_id]
                yield from _said(name, ANSWERED.get(name), told.outcome.success, is_answer=True)


def _said(what: str, kind: type[BaseModel] | None, payloads: Message, *, is_answer: bool = False) -> Iterator[Said]:
    assert isinstance(payloads, Payloads)
    for payload in payloads.payloads:
        value = json.loads(payload.data) if payload.data else None
        if kind is not None and isinstance(value, dict):
            yield Said(what, kind, value, is_answer)
