"""What every scheduler must do. Authors of bundles run it against theirs:

    class TestMyScheduler(SchedulerContract):
        @pytest.fixture
        def bench(self):
            return Bench(site, MyScheduler(site), Shell(transport))

Everything is asked through the shell, so the site may be anywhere. It must be able to run a job soon after it was
submitted, with a POSIX shell on the machine that runs it, and to run eight at a time.
"""

from uuid import uuid4

import pytest

from howdah.testing.contract_of_bodies import HowJobsEnd, WhatJobsFind
from howdah.testing.contract_of_jobs import Listing
from howdah.testing.contract_of_looking import Looking
from howdah.testing.contract_of_submitting import Cancelling, Submitting
from howdah.testing.scheduler_bench import Bench, Ledger

__all__ = ["Bench", "Ledger", "SchedulerContract"]


class SchedulerContract(HowJobsEnd, WhatJobsFind, Submitting, Cancelling, Looking, Listing):
    """Give a fixture `bench`."""

    @pytest.fixture
    async def ledger(self, bench: Bench) -> Ledger:
        first = await bench.prepare("true")
        return Ledger(bench.shell, f"{(first.folder or '').rpartition('/')[0]}/ledger-{uuid4().hex[:8]}")
