"""The desk of a site: where people and workers write down what holds for all of its experiments.

It is there only while there is something to say. Readers look at its memo, which needs no worker.
"""

from datetime import datetime, timedelta

from temporalio import workflow

from howdah import names
from howdah.models.desk import Pause, Report, Resume, SiteState
from howdah.workflows.desk_book import BELIEVED, details, is_quiet, with_pause, with_report, with_resume, without

LINGERS = timedelta(minutes=1)
"""A site whose login fails now and then, or that is resumed and paused again, keeps its desk meanwhile."""
MOST_EVENTS = 200
"""Of one run's history. What is known fits into one event, so a new run costs next to nothing."""


@workflow.defn(name=names.SITE_DESK)
class SiteDesk:
    """Whoever begins a desk gives it what there is to say, in its input and its memo: so a pause holds at once,
    though no worker for workflows may run. What follows with the start says the same, and changes nothing.
    """

    @workflow.init
    def __init__(self, state: SiteState) -> None:
        self.state = state.model_copy(update={"heard": {}})
        self.heard = {report.worker: workflow.now() for report in state.reports} | state.heard
        """When each worker repeated its report."""
        self.changes = 0

    @workflow.run
    async def run(self, state: SiteState) -> None:
        """`state` is where a run begins; from then on `self.state` counts."""
        self._publish()
        while await self._has_something_to_say():
            if self._is_long():
                await workflow.wait_condition(workflow.all_handlers_finished)
                # A reader between the two runs must not take a paused site for one that is not.
                workflow.continue_as_new(self._with_times(), memo={names.MEMO_DESK: self.state})

    @workflow.update(name=names.PAUSE)
    def pause(self, pause: Pause) -> SiteState:
        return self._become(with_pause(self.state, pause))

    @workflow.update(name=names.RESUME)
    def resume(self, resume: Resume) -> SiteState:
        return self._become(with_resume(self.state, keep_pause=resume.keep_pause))

    @workflow.signal(name=names.REPORT)
    def report(self, report: Report) -> None:
        self.heard[report.worker] = workflow.now()
        self._become(with_report(self.state, report))

    def _become(self, state: SiteState) -> SiteState:
        if state != self.state:
            self.state = state
            self.changes += 1
            self._publish()
        return self.state

    def _publish(self) -> None:
        """Only what changed costs an event."""
        workflow.set_current_details(details(self.state))
        if workflow.memo_value(names.MEMO_DESK, default=None, type_hint=SiteState) != self.state:
            workflow.upsert_memo({names.MEMO_DESK: self.state})

    async def _has_something_to_say(self) -> bool:
        """Wait for a change. False: there has been nothing for so long that the desk may go."""
        seen = self.changes
        try:
            await workflow.wait_condition(
                lambda: self.changes != seen or self._is_long(),
                timeout=self._patience(),
                timeout_summary="nothing to say" if is_quiet(self.state) else "reports are repeated",
            )
        except TimeoutError:
            if is_quiet(self.state):
                return False
            self._forget_the_silent()
        return True

    def _patience(self) -> timedelta | None:
        """Until something is to be done though nobody says anything."""
        if is_quiet(self.state):
            return LINGERS
        last = [self._heard(report) for report in self.state.reports]
        return max(min(last) + BELIEVED - workflow.now(), timedelta(seconds=1)) if last else None

    def _forget_the_silent(self) -> None:
        for report in self.state.reports:
            if self._heard(report) + BELIEVED <= workflow.now():
                self._become(without(self.state, report.worker))

    def _with_times(self) -> SiteState:
        """For the next run: where many speak, one is shorter than a report is believed."""
        heard = {report.worker: self._heard(report) for report in self.state.reports}
        return self.state.model_copy(update={"heard": heard})

    def _heard(self, report: Report) -> datetime:
        return self.heard.get(report.worker, workflow.now())

    def _is_long(self) -> bool:
        return workflow.info().get_current_history_length() >= MOST_EVENTS
