"""Where metrics are told, whether spans are recorded, and what of that is refused."""

import asyncio
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.runtime import LoggingConfig

from howdah.errors import ConfigError
from howdah.models.slots import ProjectTally
from howdah.workers.embedded.ports import free_port
from howdah.workers.state import StateFolder
from howdah.workers.telemetry import tracing
from howdah.workers.telemetry.census import OTHERS, PROJECTS, by_project
from howdah.workers.telemetry.endpoint import leave_word, open_endpoint, take_word_back
from howdah.workers.telemetry.metrics import METRICS, SLOTS_HELD, Kind, Measures
from howdah.workers.telemetry.step_metrics import outcome
from tests.workers.observed import scrape

QUIET = LoggingConfig(filter="OFF")
COLLECTOR = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.mark.parametrize("address", ["9464", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:70000", "no where:9464", ":9464"])
def test_what_is_no_address_is_refused_with_an_example(address: str) -> None:
    with pytest.raises(ConfigError, match="Metrics") as refused:
        open_endpoint(address, alone=True, logging=QUIET, heartbeat=timedelta(seconds=10))
    assert "127.0.0.1:9464" in refused.value.hint


def test_a_port_that_is_taken_is_refused_but_of_a_fleet_each_takes_the_next() -> None:
    wanted = f"127.0.0.1:{free_port()}"
    first, one = open_endpoint(wanted, alone=True, logging=QUIET, heartbeat=timedelta(seconds=10))
    with pytest.raises(ConfigError, match="in use"):
        open_endpoint(wanted, alone=True, logging=QUIET, heartbeat=timedelta(seconds=10))
    second, other = open_endpoint(wanted, alone=False, logging=QUIET, heartbeat=timedelta(seconds=10))
    assert first == wanted != second
    Measures(one.metric_meter).show(SLOTS_HELD, "bigred", "lattice", now=2)
    Measures(other.metric_meter).show(SLOTS_HELD, "bigred", "lattice", now=3)
    assert scrape(first).value("howdah_slots_held") == 2
    assert scrape(second).value("howdah_slots_held") == 3


def test_what_there_is_no_more_is_told_as_nothing() -> None:
    address, runtime = open_endpoint(
        f"127.0.0.1:{free_port()}", alone=True, logging=QUIET, heartbeat=timedelta(seconds=10)
    )
    measures = Measures(runtime.metric_meter)
    measures.show_all(SLOTS_HELD, {("bigred", "lattice"): 2, ("bigred", ""): 1})
    measures.show_all(SLOTS_HELD, {("bigred", ""): 4})
    told = scrape(address)
    assert told.value("howdah_slots_held", project="lattice") == 0
    assert told.value("howdah_slots_held", project="") == 4


def test_a_fleet_leaves_word_for_prometheus_and_clears_away_what_the_killed_have_left(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    leave_word(folder, "127.0.0.1:9464", serves="bigred")
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (tmp_path / "metrics" / f"{gone.pid}.json").write_text("[]")
    leave_word(folder, "127.0.0.1:9465", serves="bigred")
    (word,) = (tmp_path / "metrics").iterdir()
    assert word.name == f"{os.getpid()}.json"
    assert json.loads(word.read_text()) == [{"targets": ["127.0.0.1:9465"], "labels": {"serves": "bigred"}}]
    take_word_back(folder)
    take_word_back(folder)
    assert list((tmp_path / "metrics").iterdir()) == []


def test_metrics_are_named_as_prometheus_wants_it() -> None:
    for metric in METRICS:
        assert metric.exported.startswith("howdah_")
        assert metric.exported.endswith("_total") == (metric.kind is Kind.COUNTER)
        assert "_time" not in metric.name


def test_without_a_meter_nothing_is_recorded() -> None:
    assert not Measures().are_recorded


def test_projects_beyond_the_largest_are_counted_together() -> None:
    many = [ProjectTally(project=f"p{number}", held=number, waiting=1) for number in range(PROJECTS + 10)]
    held, waiting = by_project(many)
    assert len(held) == PROJECTS + 1
    assert (held["p59"], waiting["p59"]) == (59, 1)
    assert held[OTHERS] == sum(range(10))
    assert sum(waiting.values()) == PROJECTS + 10


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (asyncio.CancelledError(), ("cancelled", "")),
        (ApplicationError("", type="quota"), ("retried", "quota")),
        (ApplicationError("", type="quota", non_retryable=True), ("failed", "quota")),
        (ApplicationError("", type="WorkerShutdown"), ("handed_back", "")),
        (ApplicationError("", type="what somebody typed"), ("retried", "internal")),
        (KeyError("x"), ("retried", "internal")),
    ],
)
def test_how_a_try_ended_is_told_by_what_it_raised(error: BaseException, expected: tuple[str, str]) -> None:
    assert outcome(error) == expected


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, False),
        ({COLLECTOR: ""}, False),
        ({COLLECTOR: "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({COLLECTOR: "http://c:4318", "OTEL_SDK_DISABLED": "TRUE"}, False),
        ({COLLECTOR: "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_spans_are_recorded_when_the_standard_variables_name_a_collector(
    settings: dict[str, str], wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert tracing.are_wanted() is wanted
    if not wanted:
        assert tracing.interceptors() == ()


def test_without_a_collector_nothing_of_opentelemetry_is_imported() -> None:
    code = "import sys; from howdah.workers.telemetry import observing; observing.interceptors(); print(*sys.modules)"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run([sys.executable, "-P", "-c", code], env=kept, capture_output=True, text=True, check=True)
    assert "howdah.workers.telemetry.tracing" in done.stdout.split()
    assert not [name for name in done.stdout.split() if name.startswith("opentelemetry")]


def test_what_is_not_installed_is_said_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(COLLECTOR, "http://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(ConfigError, match="not installed") as refused:
        tracing.interceptors()
    assert refused.value.hint.startswith("pip install 'howdah[tracing]'")


def test_a_protocol_that_there_is_not_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(COLLECTOR, "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")
    with pytest.raises(ConfigError, match="http/json") as refused:
        tracing.interceptors()
    assert "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf" in refused.value.hint


SEND = """
import os
from howdah.workers.telemetry import observing
from howdah.workers.telemetry import tracing
observing.interceptors()
from opentelemetry import trace
trace.get_tracer("x").start_span("y").end()
tracing.FLUSHED_WITHIN = 0.2
tracing.flush()
os._exit(0)
"""


def test_a_collector_that_is_away_is_no_trouble_of_whoever_gives_a_command() -> None:
    settings = {COLLECTOR: f"http://127.0.0.1:{free_port()}"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", SEND],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


BEGIN = """
import sys
from pathlib import Path
from howdah.workers.telemetry import observing
from howdah.workers.state import StateFolder
folder = StateFolder(Path(sys.argv[1]))
print(observing.begin(fleet=folder, serves="bigred"), flush=True)
sys.stdin.read()
observing.end(fleet=folder)
"""


def test_each_process_of_a_fleet_tells_at_an_address_of_its_own(tmp_path: Path) -> None:
    settings = {"HOWDAH_METRICS": f"127.0.0.1:{free_port()}"}
    command = [sys.executable, "-P", "-c", BEGIN, str(tmp_path)]
    fleet = [
        subprocess.Popen(
            command, env=os.environ | settings, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        for _ in range(2)
    ]
    addresses = {one.stdout.readline().strip() for one in fleet if one.stdout}
    words = [json.loads(path.read_text())[0] for path in (tmp_path / "metrics").iterdir()]
    assert {word["targets"][0] for word in words} == addresses
    assert len(addresses) == 2
    assert [scrape(address).value("howdah_worker") for address in addresses] == [1, 1]
    for one in fleet:
        one.communicate("", timeout=60)
        assert one.returncode == 0
    assert list((tmp_path / "metrics").iterdir()) == []
