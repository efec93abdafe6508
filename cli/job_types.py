"""Job types and their specs, described."""

from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from howdah.cli.answers import Key, Schema, TypeRow, Types, TypeShown
from howdah.plugins import Broken, JobType, broken, find, installed

SHORT_FORMS = ("Input", "Output")
"""Models that may be written as a single text."""


def all_types() -> Types:
    sound = [_row(kind) for kind in installed(JobType).values()]
    return Types(tuple(sorted([*sound, *map(_broken, broken(JobType))], key=lambda row: row.name)))


def one_type(name: str) -> TypeShown:
    """Raises: UnknownName."""
    kind = find(JobType, name, what="job type")
    keys = (key.model_copy(update={"default": name}) if key.name == "type" else key for key in _keys(kind.spec))
    return TypeShown(**dict(_row(kind)), keys=tuple(keys))


def schema_of(name: str) -> Schema:
    """Raises: UnknownName."""
    return Schema(json_schema(find(JobType, name, what="job type").spec))


def json_schema(spec: type[BaseModel]) -> dict[str, Any]:
    """As users write it: with short forms."""
    found = spec.model_json_schema(by_alias=True, mode="validation")
    for name in SHORT_FORMS:
        if name in found.get("$defs", {}):
            found["$defs"][name] = {"anyOf": [{"type": "string"}, found["$defs"][name]]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}


def _row(kind: JobType) -> TypeRow:
    return TypeRow(name=kind.name, description=kind.description, task_queue=kind.task_queue, workflow=kind.workflow)


def _broken(found: Broken) -> TypeRow:
    return TypeRow(
        name=found.name, description=f"of {found.distribution}", task_queue="", workflow="", broken=found.reason
    )


def _keys(spec: type[BaseModel], above: str = "") -> list[Key]:
    """All keys with their paths; tables one by one."""
    keys: list[Key] = []
    schema = spec.model_json_schema(by_alias=True)
    for name, field in spec.model_fields.items():
        key = field.alias or name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys += _keys(field.annotation, f"{above}{key}.")
        else:
            form = _form(schema["properties"][key], schema)
            keys.append(Key(name=above + key, form=form, default=_default(field), meaning=field.description or ""))
    return keys


def _form(part: dict[str, Any], schema: dict[str, Any]) -> str:
    """A word or two: `text`, `list of Input`, `a, b or c`."""
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        inner = schema["$defs"][name]
        return _one_of(inner["enum"]) if "enum" in inner else name
    if "anyOf" in part:
        return " or ".join(_form(one, schema) for one in part["anyOf"] if one.get("type") != "null")
    if part.get("type") == "array":
        return f"list of {_form(part.get('items', {}), schema)}"
    if examples := part.get("examples"):
        return f"such as {examples[-1]}"
    names = {"string": "text", "integer": "number", "object": "table", "boolean": "true or false"}
    return names.get(str(part.get("type")), str(part.get("type", "any")))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value in (None, {}) else str(value)


def _one_of(words: list[str]) -> str:
    return " | ".join(words if len(words) <= 6 else [*words[:2], f"... {len(words)} words, see: howdah type schema"])
