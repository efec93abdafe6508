"""What a site is asked from outside a workflow: standalone activities on its queues.

So the client needs no way to the site.
"""

from howdah.models.answers import (
    BatchRows,
    CacheCleaned,
    CacheState,
    Checks,
    CleanCache,
    Explanation,
    LookForJobs,
    Nothing,
    OrphansRemoved,
    RemoveOrphans,
    Seek,
    Sought,
)
from howdah.models.job import Attempt, Collect, Collected
from howdah.models.logs import LogsRead, ReadLogs
from howdah.steps import Step, minutes, seconds
from howdah.steps.batch import CONTROL, STAGING

read_logs = Step("site.read_logs", ReadLogs, LogsRead, within=minutes(2), heartbeat=seconds(8))
explain = Step("site.explain", Attempt, Explanation, within=minutes(2), heartbeat=seconds(60))
check = Step("site.check", Nothing, Checks, within=minutes(5), heartbeat=seconds(60))
fetch = Step("site.fetch", Collect, Collected, within=minutes(600), heartbeat=seconds(60))
show_cache = Step("site.show_cache", Nothing, CacheState, within=minutes(5), heartbeat=seconds(60))
clean_cache = Step("site.clean_cache", CleanCache, CacheCleaned, within=minutes(30), heartbeat=seconds(60))
jobs = Step("site.jobs", LookForJobs, BatchRows, within=minutes(5), heartbeat=seconds(60))
seek = Step("site.seek", Seek, Sought, within=minutes(5), heartbeat=seconds(60))
remove_orphans = Step("site.remove_orphans", RemoveOrphans, OrphansRemoved, within=minutes(30), heartbeat=seconds(60))

CAPABILITY_OF = {
    read_logs.name: CONTROL,
    explain.name: CONTROL,
    check.name: CONTROL,
    fetch.name: STAGING,
    show_cache.name: STAGING,
    clean_cache.name: STAGING,
    jobs.name: CONTROL,
    seek.name: CONTROL,
    remove_orphans.name: CONTROL,
}
