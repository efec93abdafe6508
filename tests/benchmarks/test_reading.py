"""What benchmarks make of what they noted: reports, pictures, costs, falls."""

import itertools
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest
from temporalio.client import WorkflowHistory

from benchmarks.__main__ import FULL, NORMAL, QUICK, earlier, run_all
from benchmarks.cost import cost_of
from benchmarks.cpu import MACHINE, Meters, resident
from benchmarks.crowd import Crowd
from benchmarks.crowd import report as told_of_a_crowd
from benchmarks.drawing import draw
from benchmarks.latency import Sample as Latency
from benchmarks.latency import report as told_of_latencies
from benchmarks.machine import ROOT
from benchmarks.report import Bar, Bars, Figure, Lines, Report, Table, as_data, markdown
from benchmarks.sampling import LoginLog, Sample
from benchmarks.steptimes import JobTimes, StepTimes, job_times
from benchmarks.waterfall import SBATCH, SESSION, SLURM, Fall, fall

HISTORY = Path(__file__).parents[2] / "src/howdah/histories/hpc-0.2.0-succeeds.json"
MET = Figure("met", 1.0, "s", 1.0)
MISSED = Figure("missed", 1.1, "s", 1.0)
TOLD = Figure("told", 7.0, "s")


def test_a_report_is_met_when_no_target_is_missed() -> None:
    assert Report("a", "b", (MET, TOLD)).is_met
    assert not Report("a", "b", (MET, MISSED)).is_met


def test_a_report_reads_as_markdown_and_as_json() -> None:
    report = Report("Name", "About.", (MISSED, TOLD), (Table("Parts", ("", "s"), (("one", 0.1234), ("two", 1234.5))),))
    page = markdown(report)
    assert "| missed | 1.1 s | 1 s | **missed** |" in page
    assert "| one | 0.123 |" in page
    assert "| two | 1234 |" in page
    assert [figure["met"] for figure in json.loads(json.dumps(as_data(report)))["figures"]] == [False, None]


def test_pictures_are_svg_with_everything_in_it() -> None:
    curves = Lines("a.svg", "a < b", {"memory": [(0.0, 1.0), (10.0, 3.0)], "nothing": []}, {"killed": 5.0})
    bars = Bars("b.svg", "bars", (Bar("client", "start", 0.0, 0.5), Bar("server", "next", 0.5, 2.0)))
    found = [ElementTree.fromstring(draw(drawing)) for drawing in (curves, bars)]
    texts = ["".join(tree.itertext()) for tree in found]
    assert all(word in texts[0] for word in ("a < b", "memory", "nothing", "killed", "10 s"))
    assert all(word in texts[1] for word in ("client", "server", "1500 ms", "2 s"))


def test_what_a_history_costs_and_when_its_steps_were_is_read_from_it() -> None:
    events = list(WorkflowHistory.from_json("recorded", HISTORY.read_text()).events)
    cost, times = cost_of(events), job_times(events)
    assert cost.events == len(events) == cost.kinds.total()
    assert cost.actions >= 1 + cost.kinds["activity_task_started"] + cost.kinds["upsert_workflow_search_attributes"]
    assert [step.name for step in times.steps][:3] == ["prepare", "stage_in", "submit"]
    whole = sum(times.gaps) + sum(step.waited + step.worked for step in times.steps)
    assert whole == pytest.approx(times.ended - times.began)


def test_every_moment_of_a_job_belongs_to_one_bar() -> None:
    steps = (StepTimes("submit", 1.0, 1.25, 2.0), StepTimes("monitor", 2.5, 2.75, 4.0))
    times = JobTimes(0.75, 4.5, steps, 40)
    noted = {"session": [(1.5, 1.75), (2.0, 9.0)], "sbatch": [(1.5, 1.625)]}
    bars = tuple(fall(times, asked=0.5, accepted=0.875, ran=3.25, noted=noted))
    moments = [bar.begin for bar in bars] + [bars[-1].end]
    assert moments == sorted(moments)
    assert all(bar.end == later.begin for bar, later in itertools.pairwise(bars))
    found = Fall("one", bars, 2)
    assert found.total == 4.0
    assert [found.of(lane) for lane in (SBATCH, SESSION, SLURM)] == [0.125, 0.125, 0.5]


def test_a_login_log_is_counted_by_whole_lines_and_once(tmp_path: Path) -> None:
    log = LoginLog(tmp_path / "sshd.log")
    log.path.write_text("Connection from 127.0.0.1\nStarting session: command\nStarting ses")
    assert log.news() == (1, 1)
    with log.path.open("a") as file:
        file.write("sion: command\n")
    assert log.news() == (1, 0)
    assert log.news() == (0, 0)


def test_meters_count_what_a_process_spends() -> None:
    with Meters("one", "other") as meters:
        begin = [sys.executable, "-c", "input(); sum(range(5_000_000)); print(flush=True); input()"]
        with subprocess.Popen(begin, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin is not None and process.stdout is not None
            meters.put("one", process.pid)
            before = meters.read()
            process.stdin.write(b"\n")
            process.stdin.flush()
            process.stdout.readline()
            spent = meters.since(before)
            assert spent["one"] > 0
            assert spent["other"] == 0
            assert spent[MACHINE] >= spent["one"] / 2
            assert resident(process.pid) > 0
            process.stdin.write(b"\n")
            process.stdin.flush()
    assert resident(process.pid) == 0
    assert not meters.exact or os.getuid() == 0


async def test_a_benchmark_that_fails_is_told_and_does_not_end_the_others(tmp_path: Path) -> None:
    async def breaks() -> Report:
        raise RuntimeError("no Slurm")

    async def works() -> Report:
        return Report("Works", "Fine.", (MET,), drawings=(Bars("one.svg", "one", (Bar("a", "b", 0.0, 1.0),)),))

    found = await run_all({"breaks": breaks, "works": works}, tmp_path)
    assert [report.is_met for report in found] == [False, True]
    page = (tmp_path / "speed.md").read_text()
    assert "RuntimeError: no Slurm" in page
    assert "![one](one.svg)" in page
    assert (tmp_path / "one.svg").exists()
    assert "cores" in json.loads((tmp_path / "speed.json").read_text())["machine"]


async def test_what_is_measured_again_takes_the_place_of_what_was_and_the_rest_stays(tmp_path: Path) -> None:
    async def measured(reached: float) -> Report:
        figure = Figure("one", reached, "s", 2.0)
        return Report("Again", "A | b.", (figure,), (Table("Parts", ("", "s"), (("a | b", 1), ("c", 0.5))),))

    await run_all({"first": partial(measured, 1.0), "second": partial(measured, 1.5)}, tmp_path)
    await run_all({"second": partial(measured, 3.0)}, tmp_path)
    kept = earlier(tmp_path)
    assert [report.figures[0].reached for report in kept.values()] == [1.0, 3.0]
    assert kept["first"].tables[0].rows == (("a | b", 1), ("c", 0.5))
    assert r"| a \| b | 1 |" in (tmp_path / "speed.md").read_text()


def test_what_a_crowd_costs_is_told_a_minute_and_held_against_its_targets() -> None:
    samples = [Sample(10.0 * n, 5, 90_000_000 + n, 200_000_000, 0.01, 0.02, n % 3 == 0, 1, 0) for n in range(1, 7)]
    report = told_of_a_crowd(Crowd(5, ramp=2.0, samples=samples, found_again=30.0, restarted=2.0))
    reached = {figure.what: figure.reached for figure in report.figures}
    assert reached["queries of the scheduler at rest"] == 2.0
    assert reached["memory of the worker, at most"] == pytest.approx(90.0, rel=0.01)
    assert report.is_met
    lost = told_of_a_crowd(Crowd(5, ramp=2.0, samples=samples, lost=["crowd-00001 is not watched by the new worker"]))
    assert not lost.is_met


def test_latencies_are_told_apart_by_how_the_end_was_noticed() -> None:
    samples = [Latency("auto", 0.2, 0.5, 1.0), Latency("poll", 0.4, 3.0, 4.0), Latency("poll", 0.4, 3.0, 20.0)]
    reached = [figure.reached for figure in told_of_latencies(samples).figures]
    assert reached == [0.4, 1.0, 12.0]


def test_every_benchmark_that_can_be_called_is_documented() -> None:
    pages = "".join((ROOT / page).read_text() for page in ("docs/speed.md", "docs/proof.md", "CONTRIBUTING.md"))
    calls = [path.stem for path in (ROOT / "benchmarks").glob("*.py") if "def main() -> int" in path.read_text()]
    assert len(calls) > 8
    assert [name for name in calls if f"benchmarks.{name}`" not in pages and name != "__main__"] == []


def test_every_size_measures_the_same_things() -> None:
    assert QUICK.runs().keys() == NORMAL.runs().keys() == FULL.runs().keys()
