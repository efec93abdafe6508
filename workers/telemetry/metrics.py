"""What is measured: every metric of howdah's own, with its labels and meaning.

They are recorded with the SDK's meter, so that one endpoint tells the SDK's metrics and ours. No label ever holds the
id of an experiment, for each new value of a label is a series that is kept for ever.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from temporalio.common import MetricCounter, MetricGaugeFloat, MetricHistogramFloat, MetricMeter

Labels = tuple[str, ...]
"""The values of a metric's labels, in their order."""


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True)
class Metric:
    """`name` ends with the unit, if there is one. `exported` is what Prometheus sees of it."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str

    @property
    def exported(self) -> str:
        return f"{self.name}_total" if self.kind is Kind.COUNTER else self.name


WORKER = Metric("howdah_worker", Kind.GAUGE, ("deployment", "build"), "1 for the code that this process runs")
STEPS = Metric("howdah_steps", Kind.COUNTER, ("step", "site", "outcome", "cause"), "Tries of steps that ended")
STEP_WAIT = Metric(
    "howdah_step_wait_seconds", Kind.HISTOGRAM, ("step", "site"), "From when a try was due until a worker took it up"
)
STEP_RUN = Metric("howdah_step_run_seconds", Kind.HISTOGRAM, ("step", "site", "outcome"), "How long a try took")
BYTES = Metric(
    "howdah_transferred_bytes", Kind.COUNTER, ("site", "direction"), "Bytes that travelled, those sent again included"
)
FILES = Metric("howdah_transferred_files", Kind.COUNTER, ("site", "direction"), "Files that arrived")
QUESTIONS = Metric(
    "howdah_scheduler_questions", Kind.COUNTER, ("site", "question", "answer"), "Questions that a scheduler answered"
)
SESSIONS = Metric("howdah_sessions_used", Kind.GAUGE, ("site",), "Commands that this process has open at a site")
SESSIONS_MOST = Metric("howdah_sessions_most", Kind.GAUGE, ("site",), "Commands that it may have open there")
WATCHED = Metric("howdah_jobs_watched", Kind.GAUGE, ("site",), "Batch jobs that this process watches")
GATE = Metric("howdah_gate_shut", Kind.GAUGE, ("site", "part"), "1 while this part of a site is out of order")
PAUSED = Metric("howdah_site_paused", Kind.GAUGE, ("site",), "1 while somebody has paused the site")
EXPERIMENTS = Metric("howdah_experiments", Kind.GAUGE, ("state",), "Jobs that the server knows, by state")
SLOTS_HELD = Metric("howdah_slots_held", Kind.GAUGE, ("site", "project"), "Slots that are taken at a site")
SLOTS_WAITING = Metric("howdah_slots_waiting", Kind.GAUGE, ("site", "project"), "Attempts in line for a slot")
SLOTS_MOST = Metric("howdah_slots_most", Kind.GAUGE, ("site",), "Slots that there are at a site")
BACKLOG = Metric("howdah_queue_backlog", Kind.GAUGE, ("queue",), "Tasks in a queue that no worker has taken up")
BACKLOG_AGE = Metric("howdah_queue_backlog_age_seconds", Kind.GAUGE, ("queue",), "How long the oldest of them waits")
SERVED = Metric("howdah_queue_served", Kind.GAUGE, ("queue",), "1 while some worker polls the queue")
COUNTED = Metric("howdah_server_counted", Kind.GAUGE, (), "1 if the last count at the server came to its end")

METRICS = (
    *(WORKER, STEPS, STEP_WAIT, STEP_RUN, BYTES, FILES, QUESTIONS, SESSIONS, SESSIONS_MOST, WATCHED, GATE, PAUSED),
    *(EXPERIMENTS, SLOTS_HELD, SLOTS_WAITING, SLOTS_MOST, BACKLOG, BACKLOG_AGE, SERVED, COUNTED),
)

_MINUTE, _HOUR = 60.0, 3600.0
BUCKETS: Mapping[str, tuple[float, ...]] = {
    STEP_WAIT.name: (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, _MINUTE, 5 * _MINUTE, 30 * _MINUTE, _HOUR, 6 * _HOUR),
    STEP_RUN.name: (
        0.1,
        0.25,
        0.5,
        1,
        2.5,
        5,
        10,
        30,
        _MINUTE,
        5 * _MINUTE,
        30 * _MINUTE,
        _HOUR,
        6 * _HOUR,
        24 * _HOUR,
    ),
}

_Instrument = MetricCounter | MetricGaugeFloat | MetricHistogramFloat


class Measures:
    """Where this process records what it measures. With a meter that does nothing nothing is recorded."""

    def __init__(self, meter: MetricMeter = MetricMeter.noop) -> None:
        self._meter = meter
        self._instruments: dict[Metric, _Instrument] = {}
        self._shown: dict[Metric, set[Labels]] = defaultdict(set)

    @property
    def are_recorded(self) -> bool:
        return self._meter is not MetricMeter.noop

    def count(self, metric: Metric, *labels: str, by: int = 1) -> None:
        instrument = self._instrument(metric)
        assert isinstance(instrument, MetricCounter)  # noqa: S101  # by the kind of the metric
        instrument.add(by, self._named(metric, labels))

    def lasted(self, metric: Metric, *labels: str, time: timedelta) -> None:
        """Clocks of two machines may differ: what took less than no time took none."""
        instrument = self._instrument(metric)
        assert isinstance(instrument, MetricHistogramFloat)  # noqa: S101  # by the kind of the metric
        instrument.record(max(0.0, time.total_seconds()), self._named(metric, labels))

    def show(self, metric: Metric, *labels: str, now: float) -> None:
        instrument = self._instrument(metric)
        assert isinstance(instrument, MetricGaugeFloat)  # noqa: S101  # by the kind of the metric
        instrument.set(now, self._named(metric, labels))

    def show_all(self, metric: Metric, now: Mapping[Labels, float]) -> None:
        """All there are. A gauge keeps the last value it was given, so what there is no more is 0 from now on."""
        for labels in self._shown[metric] - now.keys():
            self.show(metric, *labels, now=0)
        for labels, value in now.items():
            self.show(metric, *labels, now=value)
        self._shown[metric] |= now.keys()

    def _named(self, metric: Metric, labels: Labels) -> dict[str, str]:
        return dict(zip(metric.labels, labels, strict=True))

    def _instrument(self, metric: Metric) -> _Instrument:
        if metric not in self._instruments:
            self._instruments[metric] = self._created(metric)
        return self._instruments[metric]

    def _created(self, metric: Metric) -> _Instrument:
        if metric.kind is Kind.COUNTER:
            return self._meter.create_counter(metric.name, metric.meaning)
        if metric.kind is Kind.GAUGE:
            return self._meter.create_gauge_float(metric.name, metric.meaning)
        return self._meter.create_histogram_float(metric.name, metric.meaning)
