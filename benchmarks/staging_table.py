"""What a benchmark of several tools came to, as a table of medians and ratios or as JSON."""

import json
import os
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

OURS = "howdah"


@dataclass(frozen=True)
class Course:
    """Files, the way they go, and how much slower than `floor` howdah may be."""

    name: str
    fill: Callable[[Path], None]
    floor: str
    limit: float
    far: bool = False
    without: tuple[str, ...] = ()
    """Tools that would take minutes here: they wait for the far side several times for each file."""


Times = dict[tuple[str, str], list[float]]
"""Seconds of each round, by tool and direction."""


@dataclass
class Result:
    course: Course
    times: Times = field(default_factory=lambda: defaultdict(list))
    memory: int = 0
    """The most bytes that howdah's worker ever had."""
    recording: float = 0.0
    """Seconds that it took to record the inputs before the start."""

    def median(self, tool: str, way: str) -> float:
        return statistics.median(self.times[tool, way])

    def ratio(self, tool: str, way: str) -> float | None:
        return self.median(tool, way) / self.median(self.course.floor, way) if self._has_floor(way) else None

    def _has_floor(self, way: str) -> bool:
        return bool(self.times.get((self.course.floor, way)))

    @property
    def meets_its_target(self) -> bool:
        """Without the tool to compare with nobody knows, and that is not enough."""
        ratios = [self.ratio(OURS, way) for way in ("in", "out")]
        return all(ratio is not None and ratio <= self.course.limit for ratio in ratios)


def table(results: list[Result]) -> Iterator[str]:
    """Each tool's median, and how many times that of the course's floor it is."""
    yield f"{os.cpu_count()} cores; the load was {os.getloadavg()[2]:.1f} lately"
    for result in results:
        course = result.course
        yield f"\n{course.name}   (howdah at most {course.limit:g} x {course.floor})"
        yield f"  {'':16}{'in':>9}{'ratio':>8}{'out':>11}{'ratio':>8}"
        for tool in dict.fromkeys(tool for tool, _ in result.times):
            cells = [_cell(result, tool, way) for way in ("in", "out")]
            yield f"  {tool:16}{cells[0]}  {cells[1]}"
        if course.without:
            yield f"  left out, for they would take minutes: {', '.join(course.without)}"
        yield f"  recording the inputs, once before the start: {result.recording:.2f} s"
        yield f"  most memory of howdah's worker: {result.memory >> 20} MiB"
        yield f"  target {'met' if result.meets_its_target else 'MISSED'}"


def _cell(result: Result, tool: str, way: str) -> str:
    ratio = result.ratio(tool, way)
    return f"{result.median(tool, way):7.2f} s{'' if ratio is None else f'{ratio:7.2f}x'}"


def as_json(results: list[Result]) -> str:
    return json.dumps(
        [
            {
                "course": result.course.name,
                "floor": result.course.floor,
                "limit": result.course.limit,
                "met": result.meets_its_target,
                "memory": result.memory,
                "recording": result.recording,
                "seconds": {f"{tool} {way}": times for (tool, way), times in result.times.items()},
            }
            for result in results
        ],
        indent=2,
    )
