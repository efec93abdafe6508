"""From the keys of an object store to files below a folder. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from howdah.activities.storage import Source
from howdah.activities.storage.buckets import Place
from howdah.errors import DataError
from howdah.models.printable import printable

_NAMED = 20
_LONGEST_NAME = 255


@dataclass(frozen=True)
class Found:
    """One line of a store's listing. `version` is its ETag."""

    key: str
    size: int
    version: str


@dataclass
class Below:
    """`unsure` are empty: each is either an empty file, or the marker of an empty folder, whose key ends in a slash
    that the library does not show."""

    files: list[Source] = field(default_factory=list)
    unsure: list[Source] = field(default_factory=list)


def below(place: Place, found: Iterable[Found], path: str) -> Below:
    """Raises DataError with the names of objects that cannot be files of one tree."""
    prefix = f"{place.key}/" if place.key else ""
    inner = {one.key.removeprefix(prefix): one for one in found if one.key.startswith(prefix) and one.key != prefix}
    folders = {key[:at] for key in inner for at in range(len(key)) if key[at] == "/"}
    result, refused = Below(), []
    for name in sorted(inner):
        one = inner[name]
        source = Source(
            f"{path}/{name}" if path else name,
            f"{place.scheme}://{place.bucket}/{one.key}",
            size=one.size,
            version=one.version,
        )
        if why := _refusal(name):
            refused.append(f"{printable(name)!r} {why}")
        elif name in folders and one.size:
            refused.append(f"{printable(name)!r} is an object and a folder of others at once")
        elif name in folders:
            continue  # the marker of a folder
        elif one.size:
            result.files.append(source)
        else:
            result.unsure.append(source)
    if refused:
        more = f"; and {len(refused) - _NAMED} more" if len(refused) > _NAMED else ""
        what = "; ".join(refused[:_NAMED]) + more
        raise DataError(f"Cannot stage in {place.shown}: {what}.", hint="rename or remove them")
    return result


def _refusal(name: str) -> str:
    steps = name.split("/")
    if any(step in ("", ".", "..") for step in steps):
        return "is no path of a file"
    if any(len(step.encode()) > _LONGEST_NAME for step in steps):
        return "is longer than file systems allow"
    return ""
