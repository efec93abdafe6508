"""Every name that Temporal stores: workflows, queries, updates, search attributes, memo fields, task queues.

They outlive the code. A name is never changed and never used for something else.
"""

WORKFLOW_QUEUE = "howdah"
"""The task queue of the built-in job types."""

HPC = "hpc"
SITE_DESK = "site_desk"
DESK_ID = "site:{site}"
"""The workflow id of a site's desk. No experiment can have it: their ids hold no colon."""

SELF_TEST = "HowdahSelfTest"
"""What a new version has to finish before experiments begin on it. Others know it by this name, too: it can be the
`gate.workflowType` of Temporal's Worker Controller."""
SELF_TEST_ID = "self-test:{deployment}:{build}:{token}"

SITE_SLOTS = "site_slots"
SLOTS_ID = "slots:{site}"
"""The workflow id of the book of a site's slots."""

PROGRESS = "progress"
"""Query, answers howdah.models.progress.Progress."""
RESOLVE = "resolve"
"""Update, takes howdah.models.job.Resolution while a job waits for an operator."""

PAUSE = "pause"
"""Update of a desk, takes howdah.models.desk.Pause, answers SiteState."""
RESUME = "resume"
"""Update of a desk, takes howdah.models.desk.Resume, answers SiteState."""
REPORT = "report"
"""Signal to a desk, takes howdah.models.desk.Report."""

EXCHANGE = "exchange"
"""Update of a book of slots, takes howdah.models.slots.Ask, answers Answer."""
SLOTS = "slots"
"""Query of a book of slots, answers howdah.models.slots.SlotsTally."""

STATE = "HowdahState"
SITE = "HowdahSite"
PROJECT = "HowdahProject"
OWNER = "HowdahOwner"
WAITING = "HowdahWaiting"
SEARCH_ATTRIBUTES = (STATE, SITE, PROJECT, OWNER, WAITING)
"""All of type Keyword. SQL visibility allows ten in all."""

MEMO_NAME = "name"
MEMO_STARTED = "started"
"""When the batch job began to run, ISO 8601 in UTC."""
MEMO_DESK = "desk"
"""Of a desk: howdah.models.desk.SiteState, readable without a worker."""

MEMO_NEXT = "next_attempt"
"""When the next attempt is made after a failure, ISO 8601 in UTC. Empty when none is waited for."""

PATCH_BACKOFF = "backoff"
"""A pause before a further attempt."""
PATCH_EFFECT = "answers-by-effect"
"""An answer is judged by what it changes: not all takes another attempt."""
PATCH_FRESH_HISTORY = "fresh-history"
"""Before a further attempt a long history is left behind."""
PATCH_KEEP_EXPIRED = "keep-expired"
"""The folder of a job whose time was over while its outputs came home is kept as that of a failed one."""
PATCH_REMOVE_ONCE = "remove-once"
"""Folders that were removed after their own attempt are not looked for again at the end."""
