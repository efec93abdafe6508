"""`experiment.yaml` and the changes from the command line, as a checked spec. All problems are told in one go."""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from howdah import problems
from howdah.cli.settings import BadSetting, Setting, apply, parse_setting
from howdah.cli.yaml_text import LARGEST_FILE, Document, NotYaml, read_yaml
from howdah.errors import SpecError, UnknownName, UserError
from howdah.models.causes import FailureCause, Policy
from howdah.models.spec import BATCH, ExperimentSpec
from howdah.plugins import JobType, find
from howdah.problems import Problem, problems_of

STDIN = "-"


@dataclass(frozen=True)
class Written:
    """A spec, and who said what: so that later checks too can point at a line."""

    spec: ExperimentSpec
    name: str
    base: Path
    """The absolute folder that relative paths start from: that of the file."""
    lines: dict[problems.Path, int]
    settings: tuple[Setting, ...] = ()

    def at(self, path: problems.Path) -> str:
        """`experiment.yaml:7` or `--set resources.walltime=2h`."""
        return _origin(path, self.name, self.lines, self.settings)


def read_spec(file: str, settings: Sequence[Setting] = ()) -> Written:
    """Read `file` (`-` for standard input) and apply `settings`. Raises: SpecError, UserError."""
    content, name, base = _content(file)
    try:
        document = read_yaml(content)
    except NotYaml as error:
        raise invalid(name, [f"{_place(name, error.line)}: {error.message}"]) from None
    if not isinstance(document.value, dict):
        found = "is empty" if document.value is None else "is not a table of keys and values"
        raise invalid(name, [f"{name}: {found}; it begins with, for example, 'name: pi'"])
    spec = _checked(document, name, settings)
    return Written(spec, name, base, document.lines, tuple(settings))


def changed_spec(spec: ExperimentSpec, settings: Sequence[Setting]) -> ExperimentSpec:
    """`spec` with `settings` applied, checked like a fresh one. Raises: SpecError."""
    tree = spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return _checked(Document(tree, {}, []), spec.name, settings)


def parse_settings(
    texts: Iterable[str], *, site: str | None = None, priority: str | None = None, project: str | None = None
) -> list[Setting]:
    """What `--set` and its short forms say. Raises: SpecError."""
    found: list[Setting] = []
    wrong: list[str] = []
    for text in texts:
        try:
            found.append(parse_setting(text))
        except BadSetting as error:
            wrong.append(str(error))
    if wrong:
        raise invalid("--set", wrong)
    short = {"site": site, "priority": priority, "project": project}
    return found + [Setting((key,), value, f"--{key} {value}") for key, value in short.items() if value is not None]


def spec_of(job_type: str) -> type[ExperimentSpec]:
    """What a file of this job type may hold. Raises: UnknownName, BrokenBundle; UserError when no file can start it."""
    if job_type == BATCH:
        return ExperimentSpec
    kind = find(JobType, job_type, what="job type").spec
    if not issubclass(kind, ExperimentSpec):
        raise UserError(
            f"Jobs of type {job_type!r} are not started from a file.", hint="its spec must be an ExperimentSpec"
        )
    return kind


def invalid(name: str, lines: list[str], job_type: str = BATCH) -> SpecError:
    many = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
    return SpecError(
        f"{name} has {many}; nothing was started.",
        hint=f"mend it and start again; all keys: howdah type schema {job_type}",
        problems=tuple(lines),
    )


def _content(file: str) -> tuple[bytes, str, Path]:
    if file == STDIN:
        return sys.stdin.buffer.read(LARGEST_FILE + 1), "standard input", Path.cwd()
    path = Path(file)
    try:
        with path.open("rb") as opened:
            return opened.read(LARGEST_FILE + 1), file, path.resolve().parent
    except (OSError, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) else str(error)
        raise UserError(f"Cannot read {file}: {what}.", hint="name the experiment's file: howdah start FILE") from error


def _checked(document: Document, name: str, settings: Sequence[Setting]) -> ExperimentSpec:
    wrong = [Problem(path, "is there twice") for path, _ in document.duplicates]
    lines = [f"{_place(name, line)}: {problem}" for problem, (_, line) in zip(wrong, document.duplicates, strict=True)]
    tree = _applied(settings, document.value, lines)
    written = {*document.lines, *(setting.path for setting in settings)}
    unclear = [(path, told) for path, told in _without_unit(tree) if any(path[: len(at)] == at for at in written if at)]
    lines += [f"{_origin(path, name, document.lines, settings)}: {told}" for path, told in unclear]
    job_type = written_type if isinstance(written_type := tree.get("type"), str) else BATCH
    try:
        kind = spec_of(job_type)
    except UnknownName as error:
        place = _origin(("type",), name, document.lines, settings)
        raise invalid(name, [*lines, f"{place}: type: {error.message}"]) from None
    try:
        spec = kind.model_validate(tree)
    except ValidationError as error:
        found = problems_of(error, kind, tree)
        places = [_origin(item.path, name, document.lines, settings) for item in found]
        told = [f"{place}: {item}" for place, item in zip(places, found, strict=True)]
        raise invalid(name, lines + sorted(told, key=_line), job_type) from None
    lines += [f"{_origin(path, name, document.lines, settings)}: {told}" for path, told in _pointless(spec)]
    if lines:
        raise invalid(name, lines)
    return spec


def _without_unit(tree: dict[str, Any]) -> Iterator[tuple[problems.Path, str]]:
    """Slurm takes a bare 60 for minutes, and 512 for megabytes; we would take seconds and bytes. So nobody guesses."""
    for path, example in _NEEDS_A_UNIT.items():
        value: Any = tree
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        bare = isinstance(value, str) and value.strip().replace(".", "", 1).isdecimal()
        if bare or (isinstance(value, int | float) and not isinstance(value, bool) and value > 0):
            yield path, f"{'.'.join(map(str, path))}: {value} of what? write {example.format(value)}"


def _pointless(spec: ExperimentSpec) -> Iterator[tuple[problems.Path, str]]:
    """Causes that no further attempt answers. Not the model refuses them: an earlier release took them, and what was
    started then goes on."""
    useful = ", ".join(cause for cause in FailureCause if cause.may_be_retried)
    for index, cause in enumerate(spec.retry.on):
        if not cause.may_be_retried:
            why = _WHY_NOT[cause.policy].format(cause)
            yield ("retry", "on", index), f"retry.on.{index}: {why}; write any of {useful}"


_WHY_NOT = {
    Policy.AGAIN: "after {0} howdah tries again by itself, in the same attempt",
    Policy.SLOT: "after {0} howdah tries again by itself, in the same attempt",
    Policy.SITE: "{0} is for people to mend, and another attempt would only meet it again",
    Policy.OPERATOR: "{0} is for people to mend, and another attempt would only meet it again",
    Policy.FAILS: "there is no further attempt after {0}",
}
_NEEDS_A_UNIT: dict[problems.Path, str] = {
    ("resources", "walltime"): "{0}m or {0}s",
    ("resources", "memory"): "{0}M or {0}G",
    ("expires",): "{0}h or {0}d",
    ("retry", "backoff"): "{0}s or {0}m",
}


def _applied(settings: Sequence[Setting], tree: dict[str, Any], lines: list[str]) -> dict[str, Any]:
    """`tree` with all settings that fit; the others are told in `lines`."""
    for setting in settings:
        try:
            tree = apply([setting], tree)
        except BadSetting as error:
            lines.append(str(error))
    return tree


def _origin(path: problems.Path, name: str, lines: dict[problems.Path, int], settings: Sequence[Setting]) -> str:
    for setting in reversed(settings):
        if path[: len(setting.path)] == setting.path:
            return setting.origin
    while path and path not in lines:
        path = path[:-1]
    return _place(name, lines.get(path, 0))


def _line(problem: str) -> int:
    """The line that a problem is on; those of the command line come last."""
    found = re.match(r"[^:]*:(\d+): ", problem)
    return int(found[1]) if found else sys.maxsize


def _place(name: str, line: int) -> str:
    return f"{name}:{line}" if line else name
