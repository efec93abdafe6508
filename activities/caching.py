"""The cache of inputs at a site, as people ask about it: what is in it, and away with what is too much.

How jobs use it: howdah.activities.staging.shared.
"""

from datetime import UTC, datetime, timedelta

from howdah.activities.folder import scratch
from howdah.activities.schedulers import Question
from howdah.activities.staging.scripts.cache import FOLDER, evict
from howdah.errors import OutcomeUnknown
from howdah.models.answers import CacheCleaned, CacheState, CleanCache
from howdah.models.sites import Site

_IN_USE = timedelta(minutes=10)
"""An unfinished file that was written to so lately is left to whoever sends it."""
_LIST = r"""
list() {
  find objects -type f -printf "$1 object %s %T@\n" 2>/dev/null
  find incoming -name '*.part' -type f -printf "$1 unfinished %s %T@\n" 2>/dev/null
}
"""


def look(site: Site) -> Question[CacheState]:
    script = f"""
cd {scratch(site)}/{FOLDER} 2>/dev/null || {{ echo "at"; exit 0; }}
{_LIST}
printf 'at %s\\n' "$(pwd -P)"
list after
"""
    return Question(script, lambda out: _state(out, site), within=4 * 60)


def clean(site: Site, wanted: CleanCache) -> Question[CacheCleaned]:
    """A job that is just being given what is removed has it open already, or is sent it again."""
    script = f"""
cd {scratch(site)}/{FOLDER} 2>/dev/null || {{ echo "at"; exit 0; }}
{_LIST}
printf 'at %s\\n' "$(pwd -P)"
list before
{_removal(wanted)}
{evict(".", site.cache_size)}
list after
"""

    def read(out: str) -> CacheCleaned:
        left = _state(out, site)
        before = [line.split() for line in out.splitlines() if line.startswith("before ")]
        size = sum(int(fields[2]) for fields in before)
        return CacheCleaned(
            removed=max(len(before) - left.objects - left.unfinished, 0),
            freed=max(size - left.bytes - left.unfinished_bytes, 0),
            left=left,
        )

    return Question(script, read, within=25 * 60)


def _removal(wanted: CleanCache) -> str:
    if not wanted.all and wanted.older_than is None:
        return ""
    age = timedelta(0) if wanted.all else wanted.older_than or timedelta(0)
    old = "" if wanted.all else f"! -newermt '{age.total_seconds():.0f} seconds ago'"
    idle = f"! -newermt '{max(age, _IN_USE).total_seconds():.0f} seconds ago'"
    return f"""find objects -type f {old} -delete 2>/dev/null
find incoming -type f {idle} -delete 2>/dev/null"""


def _state(out: str, site: Site) -> CacheState:
    lines = out.splitlines()
    at = next((line[3:] for line in lines if line.startswith("at")), None)
    if at is None:
        raise OutcomeUnknown(f"Site {site.name} does not say what is in its cache.", says=out)
    found = [line.split() for line in lines if line.startswith("after ")]
    objects = [(int(size), float(used)) for _, kind, size, used in found if kind == "object"]
    unfinished = [int(size) for _, kind, size, _ in found if kind == "unfinished"]
    used = [datetime.fromtimestamp(used, UTC) for _, used in objects]
    return CacheState(
        folder=at,
        limit=site.cache_size,
        objects=len(objects),
        bytes=sum(size for size, _ in objects),
        oldest=min(used, default=None),
        newest=max(used, default=None),
        unfinished=len(unfinished),
        unfinished_bytes=sum(unfinished),
    )
