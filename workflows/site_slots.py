"""The slots of a site: one book for all workers that submit there, kept where no worker's end can spoil it.

It is there while somebody holds a slot or waits for one, and nothing of it is in the histories of jobs.
"""

from datetime import timedelta

from temporalio import workflow

from howdah import names
from howdah.models.slots import Answer, Ask, SlotsKept, SlotsTally
from howdah.workflows.slot_book import SlotBook

LINGERS = timedelta(minutes=5)
"""So long an empty book stays open. Its timer is not wound up again for every job that comes and goes meanwhile."""


@workflow.defn(name=names.SITE_SLOTS)
class SiteSlots:
    @workflow.init
    def __init__(self, kept: SlotsKept) -> None:
        self.kept = kept
        self.book = SlotBook.unpacked(kept.packed)
        self.exchanges = 0

    @workflow.run
    async def run(self, kept: SlotsKept) -> None:
        """`kept` is where a run begins; from then on `self.book` counts."""
        while True:
            await workflow.wait_condition(lambda: self.book.is_empty or self._is_long())
            if not self._is_long() and await self._stays_empty():
                return
            if self._is_long():
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(self.kept.model_copy(update={"packed": self.book.packed()}))

    @workflow.update(name=names.EXCHANGE)
    def exchange(self, ask: Ask) -> Answer:
        self.exchanges += 1
        return self.book.exchange(ask, workflow.now().timestamp())

    @workflow.query(name=names.SLOTS)
    def slots(self) -> SlotsTally:
        return self.book.tally()

    async def _stays_empty(self) -> bool:
        seen = self.exchanges
        try:
            await workflow.wait_condition(self._is_long, timeout=LINGERS, timeout_summary="nobody holds or waits")
        except TimeoutError:
            return self.exchanges == seen
        return False

    def _is_long(self) -> bool:
        info = workflow.info()
        return info.get_current_history_length() >= self.kept.most_events or info.is_continue_as_new_suggested()
