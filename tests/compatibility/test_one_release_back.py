"""Workers and clients of two releases that follow each other understand each other.

What the release before has said is read, and what this one says is read by the release before, as long as nothing new
is used. `models-RELEASE.json` is what that release can read, as it wrote it down itself.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from howdah.models.batch import BatchStatus
from howdah.models.causes import FailureCause
from howdah.models.job import BatchJob
from howdah.models.progress import Failure, Progress
from howdah.models.states import BatchState
from howdah.workers.payloads import data_converter
from tests.compatibility.payloads import ANSWERED, HISTORIES, Said, release_of, said_in
from tests.compatibility.record import models, steps, written

BEFORE = "0.1.0"
RECORDED: dict[str, Any] = json.loads((Path(__file__).parent / f"models-{BEFORE}.json").read_text())
OLD, NEW = RECORDED["$defs"], written()["$defs"]

GONE = {"LogChunk", "ReadLog"}
"""Clients of 0.1.0 ask for logs by a step that is no more: they have to be upgraded with the workers."""
OTHER_DEFAULT = {("ExperimentSpec", "retry")}
"""It only says anew what the parts of it have as their own defaults."""
NEW_KEYS = {"backoff", "completed", "take_up", "type"}
"""What the recorded jobs use and 0.1.0 did not know. Whoever uses it needs workers that do."""


def said_by(release: str) -> list[Said]:
    return [one for path in HISTORIES if release_of(path) == release for one in said_in(path)]


def said_since() -> list[Said]:
    return [one for path in HISTORIES if release_of(path) != BEFORE for one in said_in(path)]


def sent(one: Said) -> Any:
    """The same as it would travel today."""
    payload = data_converter().payload_converter.to_payload(one.kind.model_validate(one.value))
    assert payload is not None
    return json.loads(payload.data)


def without_new(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: without_new(value) for key, value in part.items() if key not in NEW_KEYS}
    return [without_new(item) for item in part] if isinstance(part, list) else part


def test_what_the_release_before_has_said_is_read() -> None:
    said = said_by(BEFORE)
    for one in said:
        one.kind.model_validate(one.value)
    assert {"batch.submit", "batch.monitor", "hpc", "resolve"} <= {one.what for one in said}


def test_what_is_said_without_anything_new_is_read_by_the_release_before() -> None:
    refused = []
    tried = set()
    for one in said_since():
        if one.kind.__name__ not in OLD:
            continue
        tried.add(one.what)
        schema = {"$ref": f"#/$defs/{one.kind.__name__}", "$defs": OLD}
        errors = Draft202012Validator(schema).iter_errors(without_new(sent(one)))
        refused += [f"{one.what}: {'.'.join(map(str, error.absolute_path))}: {error.message}" for error in errors]
    assert refused == []
    assert {"hpc", "resolve", *(name for name in RECORDED["steps"] if name.startswith("batch."))} == tried


def test_no_step_and_no_key_of_the_release_before_is_gone_or_means_something_else() -> None:
    for name, model in OLD.items():
        if name in GONE:
            continue
        now = NEW[name]
        properties = model.get("properties", {})
        assert set(properties) <= set(now.get("properties", {})), name
        assert set(now.get("required", ())) <= set(model.get("required", ())), f"{name} asks for more"
        assert set(model.get("enum", ())) <= set(now.get("enum", ())), f"a word of {name} is gone"
        for key, told in properties.items():
            if (name, key) not in OTHER_DEFAULT:
                assert now["properties"][key].get("default") == told.get("default"), f"{name}.{key}"
    known = written()["steps"]
    kept = {name: told for name, told in RECORDED["steps"].items() if not {*told.values()} & GONE}
    assert kept.items() <= known.items()


def answers() -> list[type[BaseModel]]:
    found = [step.gives for step in steps() if step.gives is not type(None)]
    return list(dict.fromkeys([*found, *ANSWERED.values(), Progress, Failure]))


@pytest.mark.parametrize("kind", answers(), ids=lambda kind: str(kind.__name__))
def test_an_answer_of_the_next_release_may_say_more(kind: type[BaseModel]) -> None:
    schema = kind.model_json_schema()
    parts = [schema, *schema.get("$defs", {}).values()]
    assert [part["title"] for part in parts if part.get("additionalProperties") is False] == []


def test_what_asks_for_something_unknown_is_refused() -> None:
    asking = {step.takes for step in steps()} - set(answers())
    assert {kind.__name__ for kind in asking if kind.model_config.get("extra") != "forbid"} == set()


def test_a_word_of_the_next_release_is_taken_for_none_of_ours() -> None:
    status = BatchStatus.model_validate({"state": "hibernating", "cause": "sunspots", "crowd": 2, "moon": "full"})
    assert (status.state, status.cause) == (BatchState.UNKNOWN, FailureCause.INTERNAL)
    assert not status.state.is_final
    assert BatchJob.model_validate({"native_id": "7", "colour": "red"}) == BatchJob(native_id="7")
    assert Failure.model_validate({"cause": "sunspots", "message": "m"}).cause is FailureCause.INTERNAL


def test_every_model_that_travels_is_written_down_for_the_next_release() -> None:
    assert set(models()) <= set(NEW)
