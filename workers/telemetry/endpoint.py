"""Where the metrics of a worker process are read: an address of its own, in Prometheus's text format.

Of a fleet each process takes the first free port from the one that was asked for, and leaves word of it in a folder
that Prometheus watches by itself (`file_sd_configs`, https://prometheus.io/docs/guides/file-sd).
"""

import json
import os
from datetime import timedelta
from pathlib import Path

from temporalio.runtime import LoggingConfig, PrometheusConfig, Runtime, TelemetryConfig

from howdah.errors import ConfigError
from howdah.workers.embedded.processes import identify
from howdah.workers.state import StateFolder, save
from howdah.workers.telemetry.metrics import BUCKETS

PORTS = 100
"""So many are tried."""
_HINT = "give an address of this machine and a port, such as 127.0.0.1:9464"


def open_endpoint(address: str, *, alone: bool, logging: LoggingConfig, heartbeat: timedelta) -> tuple[str, Runtime]:
    """The SDK's threads, telling metrics at `address`; unless it has to be that `alone`, at one of the next ports.

    Raises: ConfigError when `address` is none, or nothing can listen there.
    """
    host, first = _parsed(address)
    last = first if alone else min(first + PORTS - 1, 65535)
    reason = ""
    for port in range(first, last + 1):
        at = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            return at, _runtime(at, logging, heartbeat)
        except ValueError as error:
            reason = str(error).rpartition(": ")[2]
            if "in use" not in reason:
                break
    raise ConfigError(f"Metrics cannot be told at {address}: {reason}.", hint=_HINT)


def leave_word(folder: StateFolder, address: str, *, serves: str) -> None:
    """For Prometheus, and for people. What processes have left that were killed is removed."""
    targets = folder.root / "metrics"
    targets.mkdir(mode=0o700, exist_ok=True)
    for path in targets.glob("*.json"):
        if not path.stem.isdecimal() or identify(int(path.stem)) is None:
            path.unlink(missing_ok=True)
    save(_word(folder), json.dumps([{"targets": [address], "labels": {"serves": serves}}]) + "\n")


def take_word_back(folder: StateFolder) -> None:
    _word(folder).unlink(missing_ok=True)


def _word(folder: StateFolder) -> Path:
    return folder.root / "metrics" / f"{os.getpid()}.json"


def _parsed(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not (port.isascii() and port.isdecimal()) or not 0 < int(port) < 65536:
        raise ConfigError(f"Metrics cannot be told at {address!r}.", hint=_HINT)
    return ("127.0.0.1" if host == "localhost" else host.strip("[]")), int(port)


def _runtime(address: str, logging: LoggingConfig, heartbeat: timedelta) -> Runtime:
    """Raises: ValueError when nothing can listen there."""
    metrics = PrometheusConfig(
        bind_address=address,
        counters_total_suffix=True,
        unit_suffix=True,
        durations_as_seconds=True,
        histogram_bucket_overrides=BUCKETS,
    )
    telemetry = TelemetryConfig(logging=logging, metrics=metrics, attach_service_name=False)
    return Runtime(telemetry=telemetry, worker_heartbeat_interval=heartbeat)
