"""What can be seen of a process from outside: its metrics, its traces, its words."""

from collections.abc import Sequence
from datetime import timedelta
from functools import cache

from temporalio.client import Interceptor
from temporalio.runtime import Runtime, TelemetryConfig

HEARTBEAT = timedelta(seconds=10)
"""How often a worker tells the server how it is, for `howdah worker list`."""


@cache
def runtime() -> Runtime:
    """The SDK's threads: one set for a process."""
    return Runtime(telemetry=TelemetryConfig(), worker_heartbeat_interval=HEARTBEAT)


def interceptors() -> Sequence[Interceptor]:
    """What stands between our code and Temporal, in clients and in the workers made of them."""
    return ()
