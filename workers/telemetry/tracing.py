"""Traces of an experiment, from the command that started it to its clean-up (OpenTelemetry).

On when the standard variables name a collector (OTEL_EXPORTER_OTLP_ENDPOINT); nothing is imported otherwise. A span is
recorded where something of ours takes time: the start by a client, a workflow, each try of a step. The SDK's own
interceptor carries the trace from one to the next, in headers; spans inside workflows get their ids from random numbers
that belong to the workflow, so that a replay makes no second ones.
"""

import logging
import os
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING

from temporalio.client import Interceptor

from howdah.errors import ConfigError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

    from howdah.workers.telemetry.spans import Provider

SERVICE = "howdah"
"""The service name, unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES tell one."""
HTTP, GRPC = "http/protobuf", "grpc"
_EXPORTERS = {HTTP: "http", GRPC: "grpc"}
FLUSHED_WITHIN = 3.0
"""Seconds. A collector that is away must not keep a command from ending."""


def are_wanted() -> bool:
    """The standard variables name a collector, and none of them says no.

    https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables
    """
    told = os.environ
    endpoint = told.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or told.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    off = told.get("OTEL_SDK_DISABLED", "").lower() == "true" or told.get("OTEL_TRACES_EXPORTER") == "none"
    return bool(endpoint) and not off


def interceptors() -> Sequence[Interceptor]:
    """For a client, and the workers made of it. Raises: ConfigError when traces are wanted that cannot be had."""
    if not are_wanted():
        return ()
    _provider()
    from howdah.workers.telemetry.spans import interceptors as recording

    return recording()


def flush() -> None:
    """Send what is recorded, if anything is. What cannot be sent soon is lost: the exporter would try for as long as it
    was told to, whatever limit it is given here."""
    if _provider.cache_info().currsize:
        sending = Thread(target=_provider().force_flush, daemon=True)
        sending.start()
        sending.join(FLUSHED_WITHIN)


@cache
def _provider() -> "Provider":
    exporter = _exporter()
    # Workers have a log for it; a command that says the same to people four times over hides what it has to say.
    logging.getLogger("opentelemetry").addHandler(logging.NullHandler())
    from howdah.workers.telemetry.spans import record_to

    return record_to(exporter, service=SERVICE)


def _exporter() -> "SpanExporter":
    """It reads the endpoint, headers, certificates and timeouts from the standard variables by itself."""
    told = os.environ.get
    protocol = told("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or told("OTEL_EXPORTER_OTLP_PROTOCOL") or HTTP
    if protocol not in _EXPORTERS:
        raise ConfigError(f"Traces cannot be sent by {protocol!r}.", hint=f"OTEL_EXPORTER_OTLP_PROTOCOL={HTTP}")
    package = f"opentelemetry.exporter.otlp.proto.{_EXPORTERS[protocol]}"
    try:
        import_module("temporalio.contrib.opentelemetry")
        exporter: type[SpanExporter] = import_module(f"{package}.trace_exporter").OTLPSpanExporter
    except ImportError as error:
        also = "" if protocol == HTTP else " opentelemetry-exporter-otlp-proto-grpc"
        raise ConfigError(
            f"OTEL_EXPORTER_OTLP_ENDPOINT asks for traces, and what sends them is not installed ({error.name}).",
            hint=f"pip install 'howdah[tracing]'{also}; or unset it",
        ) from error
    return exporter()
