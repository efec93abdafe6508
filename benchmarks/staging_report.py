"""The benchmark of staging among the others: see benchmarks.staging."""

import argparse
import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.report import Cell, Figure, Report, Table
from benchmarks.staging import place_for_data, run_courses
from benchmarks.staging_table import OURS, Result

COURSES = ["1 GiB", "5000 x 4 KiB"]
"""Those that have a target of their own."""


async def run(rounds: int) -> Report:
    options = argparse.Namespace(only=COURSES, rounds=rounds, cache=None)
    place = await asyncio.to_thread(place_for_data)
    with tempfile.TemporaryDirectory(prefix="howdah-staging-", dir=place) as folder:
        return report(await run_courses(options, Path(folder)), rounds)


def report(results: Sequence[Result], rounds: int) -> Report:
    return Report(
        "Staging",
        f"The same files with howdah and with others, on one sshd; medians of {rounds} rounds.",
        tuple(_figures(results)),
        tuple(_table(result) for result in results),
        data={result.course.name: {" ".join(who): times for who, times in result.times.items()} for result in results},
    )


def _figures(results: Sequence[Result]) -> Iterator[Figure]:
    for result in results:
        course = result.course
        for way in ("in", "out"):
            if (ratio := result.ratio(OURS, way)) is not None:
                beside = (
                    f"howdah {result.median(OURS, way):.2f} s, {course.floor} {result.median(course.floor, way):.2f} s"
                )
                yield Figure(f"{course.name} {way}, times {course.floor}", ratio, "x", course.limit, beside)


def _table(result: Result) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (tool, result.median(tool, "in"), result.median(tool, "out"))
        for tool in dict.fromkeys(tool for tool, _ in result.times)
    ]
    return Table(f"{result.course.name}, seconds", ("", "in", "out"), tuple(rows))
