"""What can be seen of real workers from outside, and that the pages and files which tell of it say what is."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from howdah.models.states import JobState
from howdah.testing.collector import Collector, Seen
from howdah.testing.temporal import PrivateTemporal
from howdah.workers.telemetry.metrics import METRICS
from tests.workers.observed import BUILD, GOOD, POOR, Scrape, World, scrape

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "observing.md").read_text()
BOARD = json.loads((ROOT / "deploy" / "dashboard.json").read_text())
RULES = YAML(typ="safe").load(ROOT / "deploy" / "alerts.yaml")["groups"][0]["rules"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("observed")
    with PrivateTemporal(folder) as server, Collector() as collector:
        world = World(folder, server.address, collector)
        world.live()
        yield world


@pytest.fixture
def told(world: World) -> Scrape:
    """All together."""
    return Scrape("\n".join(one.text for one in [*world.scrapes, world.counted]))


def test_what_is_exported_is_what_we_say_and_the_page_lists(told: Scrape) -> None:
    ours = {name: kind for name, kind in told.kinds.items() if name.startswith("howdah_")}
    assert ours == {metric.exported: metric.kind for metric in METRICS}
    rows = dict(re.findall(r"^\| `(howdah_\w+)` \| (\w+) \|", PAGE, re.MULTILINE))
    assert rows == ours
    for metric in METRICS:
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{metric.exported}` |"))
        assert re.findall(r"`(\w+)`", row.split("|")[3]) == list(metric.labels)


def test_the_dashboard_asks_only_for_what_there_is(told: Scrape) -> None:
    queries = [target["expr"] for panel in BOARD["panels"] for target in panel.get("targets", ())]
    queries += [one["query"]["query"] for one in BOARD["templating"]["list"] if one["type"] == "query"]
    assert len(queries) > 20
    for query in queries:
        assert_is_told(query, told)
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])


def test_the_alerts_ask_only_for_what_there_is_and_say_what_to_do(told: Scrape) -> None:
    for rule in RULES:
        assert_is_told(rule["expr"].replace('up{job="howdah"}', ""), told)
        assert rule["annotations"].keys() == {"summary", "action"}
    assert {rule["alert"] for rule in RULES} == set(re.findall(r"`(Howdah\w+)`", PAGE))


def assert_is_told(query: str, told: Scrape) -> None:
    for name, _, labels in re.findall(r"\b((?:howdah|temporal)_\w+)(\{([^}]*)\})?", query):
        assert name in told.series, f"no metric {name}: {query}"
        assert set(re.findall(r"(\w+)\s*(?:=|!)", labels)) <= told.series[name], query
    for names in re.findall(r"\bby \(([^)]*)\)", query):
        labels_told = set().union(*(labels for labels in told.series.values())) | {"instance", "le"}
        assert {name.strip() for name in names.split(",")} <= labels_told, query


def test_steps_are_measured_by_site_and_outcome(world: World) -> None:
    first, last = world.scrapes
    assert last.value("howdah_steps_total", step="batch.stage_out", site="local", outcome="done") == 1
    assert first.value("howdah_steps_total", outcome="failed", cause="input_changed") == 1
    assert first.value("howdah_step_run_seconds_count", step="batch.stage_in", outcome="failed") == 1
    assert first.value("howdah_scheduler_questions_total", site="local", question="submit", answer="fresh") == 1
    assert last.value("howdah_gate_shut", site="local", part="login") == 0
    assert last.value("howdah_worker", build=BUILD) == 1
    assert first.value("howdah_transferred_bytes_total", site="local", direction="in") == len("1 2 3\n")
    assert (last.value("howdah_transferred_bytes_total", site="local", direction="out") or 0) >= len("1 2 3\n")


def test_no_series_is_of_one_experiment(world: World) -> None:
    for one in world.scrapes:
        assert GOOD not in one.text
        assert POOR not in one.text


def test_the_server_is_asked_for_what_only_it_can_tell(world: World) -> None:
    counted = world.counted
    assert {state: counted.value("howdah_experiments", state=state) for state in JobState} == {
        state: float(state in (JobState.RUNNING, JobState.WAITING)) for state in JobState
    }
    assert counted.value("howdah_slots_held", site="local", project="lattice") == 1
    assert counted.value("howdah_slots_waiting", site="local", project="lattice") == 0
    assert (counted.value("howdah_slots_most", site="local") or 0) > 1
    assert counted.value("howdah_queue_backlog", queue="local.staging") == 0
    assert counted.value("howdah_queue_served", queue="local.staging") is not None
    assert counted.value("howdah_server_counted") == 1


def spans_of(world: World, experiment: str) -> list[Seen]:
    return [span for span in world.collector.spans if span.attributes.get("howdah.experiment") == experiment]


def test_an_experiment_is_one_trace_from_the_command_to_the_clean_up_whoever_works_on_it(world: World) -> None:
    spans = spans_of(world, GOOD)
    assert len({span.trace for span in spans}) == 1
    (start,) = [span for span in spans if not span.parent]
    assert start.name == "start hpc"
    (job,) = [span for span in spans if span.parent == start.id]
    assert job.name == "hpc"
    steps = sorted((span for span in spans if span.parent == job.id), key=lambda span: span.began)
    assert len(steps) == len(spans) - 2
    assert list(dict.fromkeys(span.name.removeprefix("batch.") for span in steps)) == [
        *("prepare", "stage_in", "submit", "monitor", "stage_out", "cleanup")
    ]
    assert job.began <= steps[0].began <= steps[-1].ended <= job.ended
    assert len({span.process["service.instance.id"] for span in spans}) == 3


def test_spans_say_what_they_are_about(world: World) -> None:
    (submit,) = [span for span in spans_of(world, GOOD) if span.name == "batch.submit"]
    native_id = submit.attributes.pop("howdah.native_id")
    assert submit.attributes == {
        "howdah.experiment": GOOD,
        "howdah.job": "main",
        "howdah.attempt": "1",
        "howdah.site": "local",
        "howdah.step": "batch.submit",
        "howdah.outcome": "done",
    }
    monitors = [span for span in spans_of(world, GOOD) if span.name == "batch.monitor"]
    assert {span.attributes["howdah.native_id"] for span in monitors} == {native_id}
    assert submit.process["service.name"] == "howdah"
    assert submit.process["deployment.environment"] == "test"
    assert submit.process["howdah.build"] == BUILD


def test_a_step_that_fails_says_so_by_its_cause_alone(world: World) -> None:
    (failed,) = [span for span in spans_of(world, POOR) if span.is_error]
    assert failed.name == "batch.stage_in"
    assert (failed.attributes["howdah.outcome"], failed.attributes["howdah.cause"]) == ("failed", "input_changed")


def test_every_line_of_a_worker_is_json_and_says_who_wrote_it(world: World) -> None:
    lines = world.said()
    assert len(lines) == len(world.lines)
    for line in lines:
        assert line["build"] == BUILD
        assert re.fullmatch(r"howdah@.+/\d+", line["worker"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
        assert line["level"] in ("info", "warning", "error")
        assert line["logger"]


def test_what_is_said_of_a_step_names_the_experiment_and_the_trace(world: World) -> None:
    about: dict[str, Any] = {"experiment": POOR, "job": "main", "attempt": 1, "site": "local"}
    (line,) = world.said(level="warning", step="batch.stage_in", **about)
    assert "changing" in line["message"]
    assert line["trace_id"] == spans_of(world, POOR)[0].trace


def test_each_worker_tells_at_the_address_that_it_was_given(world: World) -> None:
    with pytest.raises(OSError, match="refused"):
        scrape(world.metrics)
    assert len(world.said(message=f"metrics at http://{world.metrics}/metrics")) == 2
