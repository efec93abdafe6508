"""Record histories of the book of a site's slots as it is: `python -m tests.histories.slots.record RELEASE`."""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from howdah import names
from howdah.models.slots import Ask, ProjectSlots, SlotLimits, SlotsKept, Want
from howdah.testing.temporal import PrivateTemporal
from howdah.workers.payloads import data_converter
from howdah.workers.sandbox import workflow_runner
from howdah.workflows.site_slots import SiteSlots
from tests.histories.record import HERE, without_traces

LIMITS = SlotLimits(most=2, projects={"lattice": ProjectSlots(most=1, share=2.0)})
SCENARIOS = {"grants_and_goes_on_with_a_fresh_history": 20, "grants_and_is_empty": 1000}
"""Each with the length of one run's history."""


async def is_used(book: WorkflowHandle[SiteSlots, None]) -> None:
    wants = [Want(key=f"hd-k{number}", workflow=f"w{number}", project="lattice", priority=3) for number in range(6)]
    await book.execute_update(SiteSlots.exchange, Ask(worker="w#1", number=1, came=tuple(wants), limits=LIMITS))
    for number, want in enumerate(wants):
        await book.execute_update(SiteSlots.exchange, Ask(worker="w#1", number=2 + number, freed=(want.key,), doubts=1))


async def record(address: str, release: str) -> None:
    client = await Client.connect(address, data_converter=data_converter())
    async with Worker(client, task_queue="wf", workflows=[SiteSlots], workflow_runner=workflow_runner()):
        for scenario, most in SCENARIOS.items():
            kept = SlotsKept(site=scenario, most_events=most)
            handle = await client.start_workflow(
                SiteSlots.run, kept, id=names.SLOTS_ID.format(site=scenario), task_queue="wf"
            )
            await is_used(handle)
            first = client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
            recorded = without_traces(json.loads((await first.fetch_history()).to_json()))
            (HERE / f"slots-{release}-{scenario}.json").write_text(json.dumps(recorded, indent=2) + "\n")


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder, PrivateTemporal(Path(folder)) as server:
        asyncio.run(record(server.address, sys.argv[1]))


if __name__ == "__main__":
    main()
