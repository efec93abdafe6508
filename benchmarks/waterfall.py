"""Where the time of one small job goes that is alone: client, server, workers, SSH, Slurm.

    python -m benchmarks.waterfall --jobs 9

So many jobs run one after the other; the one whose time is the median is drawn. Events of the history tell when each
step was asked for, taken up and done; the login node notes when each of our sessions begins and ends, and each sbatch.
Both note with the clock of this machine. The notes cost some 3 ms a session.
"""

import argparse
import asyncio
import itertools
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.ground import Ground, ground
from benchmarks.noop import histories, home, ran, start_all, until_over, warm_up, write_inputs
from benchmarks.report import Bar, Bars, Figure, Report, Table, parser_of, present
from benchmarks.steptimes import JobTimes, StepTimes, job_times

_SESSION = """#!/bin/bash
begin=$EPOCHREALTIME
/bin/sh -c "$SSH_ORIGINAL_COMMAND"
code=$?
echo session $begin $EPOCHREALTIME >>{notes}
exit $code
"""
_SBATCH = """#!/bin/bash
PATH=${{PATH#*:}}
begin=$EPOCHREALTIME
sbatch "$@"
code=$?
echo sbatch $begin $EPOCHREALTIME >>{notes}
exit $code
"""
Span = tuple[float, float]
CLIENT, WORKFLOW, WAITING, WORKER, SESSION, SBATCH, SLURM, NOTICING = (
    "client: start",
    "server and workflow: what is next",
    "server: until a worker takes it up",
    "worker",
    "worker, SSH and login node: a session",
    "sbatch",
    "Slurm: until the program runs",
    "program ran, until its end is known",
)
LANES = (CLIENT, WORKFLOW, WAITING, WORKER, SESSION, SBATCH, SLURM, NOTICING)


@dataclass(frozen=True)
class Fall:
    """One job. Bars of one lane do not overlap, and all together they fill the time, each moment once."""

    experiment: str
    bars: tuple[Bar, ...]
    sessions: int

    @property
    def total(self) -> float:
        return self.bars[-1].end

    def of(self, lane: str) -> float:
        return sum(bar.end - bar.begin for bar in self.bars if bar.lane == lane)


class Notes:
    """Programs that note when they ran, for the login node."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "notes"
        self.shims = folder / "shims"
        self.session = folder / "session"
        self.shims.mkdir()
        self._write(self.session, _SESSION)
        self._write(self.shims / "sbatch", _SBATCH)

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text.format(notes=self.file))
        path.chmod(0o755)

    def since(self, begin: float) -> dict[str, list[Span]]:
        found: dict[str, list[Span]] = {"session": [], "sbatch": []}
        for line in self.file.read_text().split("\n"):
            if words := line.split():
                found[words[0]].append((float(words[1]), float(words[2])))
        return {kind: [span for span in spans if span[0] >= begin] for kind, spans in found.items()}


async def measure(here: Ground, notes: Notes, jobs: int) -> list[Fall]:
    await warm_up(here)
    falls = []
    for number in range(jobs):
        prefix = f"alone{number}"
        planned = write_inputs(here, prefix, 1)
        (started,) = await start_all(here, planned)
        await until_over(here, prefix)
        home(here, started.experiment)
        events = (await histories(here, [started.experiment]))[started.experiment]
        noted = notes.since(started.asked)
        bars = fall(job_times(events), started.asked, started.accepted, ran(here, started.experiment), noted)
        falls.append(Fall(started.experiment, tuple(bars), len(noted["session"])))
    return falls


def fall(times: JobTimes, asked: float, accepted: float, ran: float, noted: dict[str, list[Span]]) -> Iterator[Bar]:
    """Bars from the moment that the client began."""
    spans = [(CLIENT, "start", asked, min(accepted, times.steps[0].scheduled))]
    end = spans[0][3]
    for step in times.steps:
        spans.append((WORKFLOW, f"before {step.name}", end, step.scheduled))
        spans.append((WAITING, step.name, step.scheduled, step.started))
        spans.extend(_monitor(step, ran) if step.name == "monitor" else _step(step, noted))
        end = step.ended
    spans.append((WORKFLOW, "end", end, times.ended))
    for lane, label, begin, until in spans:
        if until > begin:
            yield Bar(lane, label, begin - asked, until - asked)


def _monitor(step: StepTimes, ran: float) -> Iterator[tuple[str, str, float, float]]:
    """A short job may have run before anybody watched."""
    begins = max(step.started, min(ran, step.ended))
    yield SLURM, "waits", step.started, begins
    yield NOTICING, "noticed", begins, step.ended


def _step(step: StepTimes, noted: dict[str, list[Span]]) -> Iterator[tuple[str, str, float, float]]:
    """Each moment once: in sbatch, else in a session, else in the worker."""
    sbatch, sessions = _within(step, noted["sbatch"]), _within(step, noted["session"])
    cuts = sorted({step.started, step.ended, *(moment for span in (*sbatch, *sessions) for moment in span)})
    for begin, end in itertools.pairwise(cuts):
        middle = (begin + end) / 2
        lane = SBATCH if _holds(sbatch, middle) else SESSION if _holds(sessions, middle) else WORKER
        yield lane, step.name, begin, end


def _within(step: StepTimes, spans: Sequence[Span]) -> list[Span]:
    """Those that began in it: the one that listens for ends begins with a monitor and outlives it."""
    return [(begin, min(end, step.ended)) for begin, end in spans if step.started <= begin < step.ended]


def _holds(spans: Sequence[Span], moment: float) -> bool:
    return any(begin <= moment <= end for begin, end in spans)


def report(falls: Sequence[Fall]) -> Report:
    """The two largest parts are named."""
    middle = sorted(falls, key=lambda one: one.total)[len(falls) // 2]
    parts = {lane: statistics.median(one.of(lane) for one in falls) for lane in LANES}
    steps: dict[tuple[str, str], float] = {}
    for bar in middle.bars:
        steps[bar.lane, bar.label] = steps.get((bar.lane, bar.label), 0.0) + bar.end - bar.begin
    largest = sorted(parts, key=lambda lane: parts[lane], reverse=True)[:2]
    rows = tuple((lane, round(value * 1000), 100 * value / sum(parts.values())) for lane, value in parts.items())
    detail = tuple((lane, label, round(value * 1000)) for (lane, label), value in steps.items())
    return Report(
        "Waterfall",
        f"One small job that is alone, median of {len(falls)}. The largest parts: {largest[0]}; {largest[1]}.",
        (
            Figure("one small job, from start to its end", statistics.median(one.total for one in falls), "s"),
            Figure("sessions at the site for one job", statistics.median(one.sessions for one in falls), ""),
        ),
        (
            Table("Where the time of one job goes", ("", "ms (median)", "%"), rows),
            Table("The job that was drawn, step by step", ("", "step", "ms"), detail),
        ),
        (Bars("waterfall.svg", "One small job that is alone", middle.bars),),
        data={"totals": [one.total for one in falls], "parts": parts},
    )


async def run(jobs: int) -> Report:
    with tempfile.TemporaryDirectory(prefix="howdah-notes-") as folder:
        notes = Notes(Path(folder))
        sshd = {"options": (f"ForceCommand {notes.session}",)}
        async with ground(sshd=sshd, first=(notes.shims,)) as here:
            return report(await measure(here, notes, jobs))


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--jobs", type=int, default=9, help="one after the other (default %(default)s)")
    options: argparse.Namespace = parser.parse_args()
    return present(asyncio.run(run(options.jobs)), options)


if __name__ == "__main__":
    sys.exit(main())
