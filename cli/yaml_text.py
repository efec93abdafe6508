"""YAML 1.2 as plain data, with the line of every value, and nothing of YAML that can do harm.

Read event by event, so that a small text cannot grow: aliases are counted at their full size and nesting
is bounded. Tags, several documents and duplicate keys are refused.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
)

from howdah.problems import Path

LARGEST_FILE = 2**20
LARGEST_TREE = 200_000
"""Values in a document, aliases counted in full; a text counts once more for every 64 characters."""
DEEPEST = 32

_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class NotYaml(Exception):
    """The text cannot be read. `line` counts from 1; 0 when no line is to blame."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


@dataclass
class Document:
    """`lines` holds the line of each value by its path; what an alias stands for has the alias's line."""

    value: Any
    lines: dict[Path, int]
    duplicates: list[tuple[Path, int]]
    """Keys that were there already, with the line of the later one. The first counts."""


def read_yaml(content: bytes) -> Document:
    """Raises: NotYaml."""
    if len(content) > LARGEST_FILE:
        raise NotYaml(f"is larger than {LARGEST_FILE // 2**20} MiB; put data into files and name them as inputs")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotYaml("is not UTF-8 text", content[: error.start].count(b"\n") + 1) from error
    if found := _FORBIDDEN.search(text):
        line = text[: found.start()].count("\n") + 1
        raise NotYaml(f"holds a control character ({found[0]!r})", line)
    return _Reader().read(_events(text))


def plain_value(text: str) -> Any:
    """What an unquoted scalar means in YAML 1.2 (core schema): null, true, 12, 0x1f, 1.5, or text."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return text.lower() == "true"
    if re.fullmatch(r"[-+]?[0-9]{1,30}", text):
        return int(text)
    if re.fullmatch(r"0o[0-7]{1,30}|0x[0-9a-fA-F]{1,30}", text):
        return int(text, 0)
    if re.fullmatch(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", text):
        return float(text)
    if re.fullmatch(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", text):
        return float(text.replace(".", ""))
    return text


def _events(text: str) -> Iterator[Event]:
    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise NotYaml(f"is not valid YAML: {error.problem or error.context}", mark.line + 1 if mark else 0) from None
    except (YAMLError, ValueError) as error:  # ruamel.yaml lets int() of an odd escape through
        raise NotYaml(f"is not valid YAML: {str(error).splitlines()[0]}") from None


@dataclass
class _Open:
    """A list or table that is being read."""

    value: list[Any] | dict[str, Any]
    path: Path
    anchor: str | None
    size: int = 1
    key: str | None = None
    skip: bool = False
    """The value to come belongs to a duplicate key."""


@dataclass
class _Reader:
    lines: dict[Path, int] = field(default_factory=dict)
    duplicates: list[tuple[Path, int]] = field(default_factory=list)
    anchors: dict[str, tuple[Any, int]] = field(default_factory=dict)
    stack: list[_Open] = field(default_factory=list)
    root: list[Any] = field(default_factory=list)
    size: int = 0

    def read(self, events: Iterator[Event]) -> Document:
        for event in events:
            self._take(event)
        return Document(self.root[0] if self.root else None, self.lines, self.duplicates)

    def _take(self, event: Event) -> None:
        line = event.start_mark.line + 1
        if isinstance(event, DocumentStartEvent):
            if self.root:
                raise NotYaml("holds more than one document ('---')", line)
        elif isinstance(event, NodeEvent):
            self._node(event, line)
        elif self.stack and type(event).__name__ in ("SequenceEndEvent", "MappingEndEvent"):
            done = self.stack.pop()
            self._put(done.value, done.size, done.anchor)

    def _node(self, event: NodeEvent, line: int) -> None:
        if (tag := getattr(event, "tag", None)) is not None:
            raise NotYaml(f"holds a tag ({tag}); tags are not allowed", line)
        top = self.stack[-1] if self.stack else None
        if top and isinstance(top.value, dict) and top.key is None:
            return self._key(top, event, line)
        path = self._path()
        self.lines.setdefault(path, line)
        if isinstance(event, AliasEvent):
            if event.anchor not in self.anchors:
                raise NotYaml(f"uses '*{event.anchor}' before it is complete", line)
            return self._put(*self.anchors[event.anchor], None, line)
        if isinstance(event, ScalarEvent):
            value = plain_value(event.value) if event.style is None else event.value
            return self._put(value, 1 + len(event.value) // 64, event.anchor, line)
        if len(self.stack) >= DEEPEST:
            raise NotYaml(f"is nested more than {DEEPEST} deep", line)
        self.stack.append(_Open({} if isinstance(event, MappingStartEvent) else [], path, event.anchor))
        return None

    def _key(self, top: _Open, event: NodeEvent, line: int) -> None:
        if not isinstance(event, ScalarEvent):
            raise NotYaml("has a key that is not a plain word", line)
        top.key = event.value
        top.skip = event.value in top.value
        path = (*top.path, event.value)
        if top.skip:
            self.duplicates.append((path, line))
        else:
            self.lines[path] = line

    def _path(self) -> Path:
        if not self.stack:
            return ()
        top = self.stack[-1]
        return (*top.path, len(top.value) if top.key is None else top.key)

    def _put(self, value: Any, size: int, anchor: str | None, line: int = 0) -> None:
        """Hand a complete value to what is around it."""
        if anchor is not None:
            self.anchors[anchor] = (value, size)
        if not self.stack:
            self.root.append(value)
            return
        top = self.stack[-1]
        top.size += size
        if max(top.size, len(self.lines)) > LARGEST_TREE:
            raise NotYaml("grows too large when its aliases ('*name') are written out", line)
        if isinstance(top.value, list):
            top.value.append(value)
        elif not top.skip:
            top.value[top.key or ""] = value
        top.key, top.skip = None, False
