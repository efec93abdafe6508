"""`--set KEY=VALUE`: changes to what the file says, as if they were written there."""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from howdah.cli.yaml_text import NotYaml, plain_value, read_yaml
from howdah.problems import Path


@dataclass(frozen=True)
class Setting:
    """`origin` is what to show when it is wrong."""

    path: Path
    value: Any
    origin: str


class BadSetting(Exception):
    """`str()` is a line for the user."""


def parse_setting(text: str) -> Setting:
    """`resources.walltime=2h`, `inputs.0=pi.py`, `outputs=[a, b]`. Raises: BadSetting."""
    origin = f"--set {text if len(text) <= 60 else text[:57] + '...'}"
    key, equals, value = text.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise BadSetting(f"{origin}: write KEY=VALUE, such as resources.walltime=2h")
    path = tuple(int(part) if part.isascii() and part.isdigit() and len(part) < 9 else part for part in parts)
    return Setting(path, _value(origin, value.strip()), origin)


def _value(origin: str, text: str) -> Any:
    """Only what begins like a list, a table or a quoted text is read as one, so that a command needs no quotes."""
    if not text.startswith(("[", "{", '"', "'")):
        return plain_value(text)
    try:
        return read_yaml(text.encode(errors="surrogateescape")).value
    except NotYaml as error:
        raise BadSetting(f"{origin}: the value {error.message}") from None


def apply(settings: list[Setting], tree: dict[str, Any]) -> dict[str, Any]:
    """A changed copy of `tree`. Raises: BadSetting when a path leads nowhere."""
    changed: dict[str, Any] = deepcopy(tree)
    for setting in settings:
        _put(changed, setting)
    return changed


def _put(tree: dict[str, Any], setting: Setting) -> None:
    here: Any = tree
    *way, last = setting.path
    for depth, part in enumerate(way):
        here = _inside(here, part, setting, depth)
    _check(here, last, setting, len(way))
    if not isinstance(here, list):
        here[str(last)] = setting.value
    elif last == len(here):
        here.append(setting.value)
    else:
        here[int(last)] = setting.value


def _inside(here: Any, part: str | int, setting: Setting, depth: int) -> Any:
    _check(here, part, setting, depth)
    if isinstance(here, list):
        if part == len(here):
            here.append({})
        return here[int(part)]
    if here.get(str(part)) is None:
        here[str(part)] = {}
    return here[str(part)]


def _check(here: Any, part: str | int, setting: Setting, depth: int) -> None:
    above = ".".join(map(str, setting.path[:depth]))
    if isinstance(here, list):
        if not isinstance(part, int) or part > len(here):
            raise BadSetting(f"{setting.origin}: {above} is a list of {len(here)}; name an item, such as {above}.0")
    elif not isinstance(here, dict):
        raise BadSetting(f"{setting.origin}: {above} has no parts here; set it as a whole: {above}={{...}}")
