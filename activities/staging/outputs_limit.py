"""How much one job may bring home. Pure."""

from collections import Counter
from collections.abc import Sequence

from howdah.activities.staging.choosing import Item
from howdah.errors import DataError
from howdah.models.printable import printable
from howdah.models.sites import Limits
from howdah.models.units import human_size


def beyond(items: Sequence[Item], limits: Limits, site: str) -> DataError | None:
    """None when all may come. Otherwise what is too much, and where most of it is."""
    files = [item for item in items if item.link is None]
    size = sum(item.found.size for item in files)
    if len(items) > limits.output_files:
        said = f"The outputs are {len(items)} files, and a job at site {site} may bring home {limits.output_files}"
        return _refused(f"{said}; {_fullest(items)}", "output_files", "let the job pack them with tar", site)
    if limits.output_size is not None and size > limits.output_size:
        allowed = f"{human_size(limits.output_size)} ({limits.output_size} bytes)"
        said = f"The outputs are {human_size(size)} ({size} bytes), and a job at site {site} may bring home {allowed}"
        return _refused(f"{said}; {_largest(files)}", "output_size", "let the job remove or compress some", site)
    return None


def _refused(message: str, limit: str, way_out: str, site: str) -> DataError:
    hint = f"name fewer outputs, {way_out}, or raise limits.{limit} of {site} in sites.toml; then: howdah retry {{id}}"
    return DataError(f"{message}. Nothing was copied.", hint=hint)


def _fullest(items: Sequence[Item]) -> str:
    folders = Counter(item.shown.rpartition("/")[0] for item in items)
    (folder, count) = folders.most_common(1)[0]
    where = f"the folder {printable(folder)!r}" if folder else "the job's folder itself"
    return f"{count} of them are in {where}"


def _largest(files: Sequence[Item]) -> str:
    largest = sorted(files, key=lambda item: -item.found.size)[:3]
    named = ", ".join(f"{printable(item.shown)!r} ({human_size(item.found.size)})" for item in largest)
    return f"the largest: {named}"
