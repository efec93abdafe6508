"""What can be seen of a process from outside: its metrics, its traces, its words."""

import logging
import os
from collections.abc import Sequence
from datetime import timedelta
from functools import cache

from temporalio.client import Interceptor
from temporalio.common import MetricMeter
from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig

from howdah.workers.state import StateFolder, this_host
from howdah.workers.telemetry import tracing, words
from howdah.workers.telemetry.endpoint import leave_word, open_endpoint, take_word_back
from howdah.workers.telemetry.metrics import WORKER, Measures
from howdah.workers.telemetry.step_metrics import StepsMeasured
from howdah.workers.versioning.versions import build_id, deployment_name

HEARTBEAT = timedelta(seconds=10)
"""How often a worker tells the server how it is, for `howdah worker list`."""

_of_this_worker: Runtime | None = None


def begin(*, metrics: str | None = None, fleet: StateFolder | None = None, serves: str = "") -> str | None:
    """A worker process begins: first of all it sets up its log, as HOWDAH_LOG and HOWDAH_LOG_LEVEL say, and tells its
    metrics at `metrics`, or where HOWDAH_METRICS says. Returns that address; None: nobody wants any.

    One of a `fleet`, which shares these settings, takes a port of its own and leaves word in the state folder; `serves`
    is what it is there for. To be called once, before anything connects. Raises: ConfigError.
    """
    global _of_this_worker
    measures.cache_clear()
    words.set_up(
        os.environ.get("HOWDAH_LOG") or words.TEXT,
        os.environ.get("HOWDAH_LOG_LEVEL") or "warning",
        worker=f"howdah@{this_host()}/{os.getpid()}",
        build=build_id(),
    )
    address = metrics or os.environ.get("HOWDAH_METRICS")
    if not address:
        _of_this_worker = _runtime(_core_words())
        return None
    address, _of_this_worker = open_endpoint(address, alone=fleet is None, logging=_core_words(), heartbeat=HEARTBEAT)
    measures().show(WORKER, deployment_name(), build_id(), now=1)
    if fleet:
        leave_word(fleet, address, serves=serves)
    return address


def end(*, fleet: StateFolder | None = None) -> None:
    """A process ends: what it has still to tell is told, within seconds."""
    tracing.flush()
    if fleet:
        take_word_back(fleet)


def runtime() -> Runtime:
    """The SDK's threads: one set for a process."""
    return _of_this_worker or _of_a_client()


@cache
def measures() -> Measures:
    """Where this process records what it measures: nowhere, unless it is a worker whose metrics somebody wants."""
    meter = _of_this_worker.metric_meter if _of_this_worker else MetricMeter.noop
    return Measures(meter)


def interceptors() -> Sequence[Interceptor]:
    """What stands between our code and Temporal, in clients and in the workers made of them."""
    measured = [StepsMeasured(measures())] if measures().are_recorded else []
    return (*tracing.interceptors(), words.Concerned(), *measured)


@cache
def _of_a_client() -> Runtime:
    return _runtime(LoggingConfig.default)


def _runtime(words_of_core: LoggingConfig) -> Runtime:
    return Runtime(telemetry=TelemetryConfig(logging=words_of_core), worker_heartbeat_interval=HEARTBEAT)


def _core_words() -> LoggingConfig:
    """The SDK's own core writes to our log, where each line has our form."""
    into = LogForwardingConfig(
        logger=logging.getLogger(words.SDK), append_target_to_name=False, prepend_target_on_message=False
    )
    return LoggingConfig(filter=LoggingConfig.default.filter, forwarding=into)
