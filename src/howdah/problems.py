"""What is wrong with something a user wrote, in the user's words.

pydantic finds the mistakes; here they become sentences, with the path as the user wrote it and the
nearest right word.
"""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Problem:
    """`path` leads to what is wrong, through keys and indices as written."""

    path: Path
    message: str

    def __str__(self) -> str:
        path = ".".join(map(str, self.path))
        return f"{path}: {self.message}" if path else self.message


def problems_of(error: ValidationError, model: type[BaseModel], written: Any) -> list[Problem]:
    """All problems pydantic found in `written`, a tree of dicts and lists, when it was to become a `model`."""
    found = [(_path(item, written), item) for item in error.errors(include_url=False)]
    return [Problem(path, _message(item, path, model)) for path, item in _without_other_branches(found)]


def nearest(word: str, words: Iterable[str]) -> str:
    """`; did you mean 'walltime'?`, or nothing."""
    near = difflib.get_close_matches(word, [str(known) for known in words], n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _path(item: ErrorDetails, written: Any) -> Path:
    """pydantic's location without what the user did not write: names of union members and of validators."""
    path: list[str | int] = []
    here: Any = written
    for part in item["loc"]:
        if _leads_on(part, here):
            here = here[part]
            path.append(part)
    if item["type"] == "missing":
        path.append(item["loc"][-1])
    return tuple(path)


def _leads_on(part: str | int, here: Any) -> bool:
    if isinstance(here, list):
        return isinstance(part, int) and part < len(here)
    return isinstance(here, dict) and part in here


def _without_other_branches(found: list[tuple[Path, ErrorDetails]]) -> list[tuple[Path, ErrorDetails]]:
    """Where several forms are allowed, pydantic complains of each. Keep what fits the form that was written."""
    told = [(path, item) for path, item in found if not _is_branch(path, item)]
    for path, item in found:
        if _is_branch(path, item) and not any(other[: len(path)] == path for other, _ in told):
            told.append((path, item))
    return told


def _is_branch(path: Path, item: ErrorDetails) -> bool:
    """One of several forms was not even begun."""
    return len(item["loc"]) > len(path) and item["type"].endswith("_type")


def _message(item: ErrorDetails, path: Path, model: type[BaseModel]) -> str:
    if item["type"] == "extra_forbidden":
        return "is not known here" + nearest(str(path[-1]), _keys(model, path[:-1]))
    if in_words := _WORDS.get(item["type"]):
        return in_words(item.get("ctx", {}), item["input"])
    return item["msg"].removeprefix("Value error, ")


def _keys(model: type[BaseModel], path: Path) -> list[str]:
    """The keys a model knows at `path`, as users write them."""
    for part in path:
        if not isinstance(part, int):
            fields = {field.alias or name: field for name, field in model.model_fields.items()}
            if part not in fields:
                return []
            model = next(iter(_models_in(fields[part].annotation)), model)
    return [field.alias or name for name, field in model.model_fields.items()]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in getattr(annotation, "__args__", ()) for model in _models_in(inner)]


def _text(_: dict[str, Any], value: Any) -> str:
    return "must be a text; put it in quotes" if isinstance(value, int | float) else "must be a text"


def _enum(context: dict[str, Any], value: Any) -> str:
    words = context["expected"].replace("'", "").replace(" or ", ", ").split(", ")
    return f"must be one of: {', '.join(words)}{nearest(str(value), words)}"


def _too_short(context: dict[str, Any], _: Any) -> str:
    least = context["min_length"]
    return "must not be empty" if least == 1 else f"must have at least {least} items"


def _pattern(context: dict[str, Any], value: Any) -> str:
    """Our patterns are all of the form ^[first][rest]{0,n}$."""
    if any(ord(char) < 32 or ord(char) == 127 for char in str(value)):
        return "must not hold line breaks or control characters"
    if not str(value):
        return "must not be empty"
    rules = context["pattern"].removeprefix("^").removesuffix("$")
    return f"{_short(value)!r} is not allowed here; it must look like {_PATTERNS.get(context['pattern'], rules)}"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


_PATTERNS = {
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$": "a-name_1.2: letters, digits, dots, dashes and underscores, at most 64",
    r"^[A-Za-z0-9_][A-Za-z0-9_.:@+-]{0,127}$": "a-word_1.2: no blanks, quotes or leading dash, at most 128",
    r"^[A-Za-z0-9_][A-Za-z0-9_.+/@:=-]{0,255}$": "a module, such as python/3.11: no blanks or quotes",
    r"^[A-Za-z0-9/._][^\s\x00-\x1f\x7f;&|<>$`\"'\\]{0,1023}$": "an image, such as docker://python:3.12: no blanks",
    r"^[0-9a-f]{64}$": "a SHA-256: 64 hexadecimal digits in lower case",
    r"^--[a-z][a-z0-9-]*(=[^\s\x00-\x1f\x7f\"'\\`$;&|<>]*)?$": "--option=value: no blanks or quotes",
    r"^[A-Za-z0-9][A-Za-z0-9._@:-]{0,255}$": "a Host of ~/.ssh/config or a host name",
}

_WORDS: dict[str, Callable[[dict[str, Any], Any], str]] = {
    "missing": lambda context, value: "is required",
    "string_type": _text,
    "int_type": lambda context, value: "must be a whole number",
    "int_parsing": lambda context, value: "must be a whole number",
    "int_from_float": lambda context, value: "must be a whole number",
    "bool_type": lambda context, value: "must be true or false",
    "bool_parsing": lambda context, value: "must be true or false",
    "tuple_type": lambda context, value: "must be a list: [ONE, TWO]",
    "list_type": lambda context, value: "must be a list: [ONE, TWO]",
    "dict_type": lambda context, value: "must be a table: {KEY: VALUE}",
    "model_type": lambda context, value: "must be a table: {KEY: VALUE}",
    "model_attributes_type": lambda context, value: "must be a table: {KEY: VALUE}",
    "greater_than_equal": lambda context, value: f"must be at least {context['ge']}",
    "less_than_equal": lambda context, value: f"must be at most {context['le']}",
    "enum": _enum,
    "literal_error": _enum,
    "string_too_short": lambda context, value: "must not be empty",
    "string_too_long": lambda context, value: f"is longer than {context['max_length']} characters",
    "too_short": _too_short,
    "too_long": lambda context, value: (
        f"is longer than {context['max_length']} characters"
        if isinstance(value, str)
        else f"has more than {context['max_length']} items"
    ),
    "string_pattern_mismatch": _pattern,
    "string_unicode": lambda context, value: "must be valid Unicode text",
    "datetime_type": lambda context, value: "is not a date and time; write 2026-12-01T08:00Z",
    "datetime_parsing": lambda context, value: "is not a date and time; write 2026-12-01T08:00Z",
    "datetime_from_date_parsing": lambda context, value: "is not a date and time; write 2026-12-01T08:00Z",
    "value_error": lambda context, value: str(context["error"]),
}
