"""What a benchmark found: figures with their targets, tables, and what is to be drawn. As Markdown or as JSON."""

import argparse
import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import TypeAdapter

Cell = str | int | float


@dataclass(frozen=True)
class Figure:
    """`target`: `reached` should be at most that; None when it is only told. `beside`: what it was measured against."""

    what: str
    reached: float
    unit: str
    target: float | None = None
    beside: str = ""

    @property
    def is_met(self) -> bool | None:
        return None if self.target is None else self.reached <= self.target


@dataclass(frozen=True)
class Table:
    """The first column is text, the others are numbers as a rule."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Lines:
    """Curves over time, each below the other: `curves` by name with its unit, as points (seconds, value)."""

    file: str
    title: str
    curves: Mapping[str, Sequence[tuple[float, float]]]
    marks: Mapping[str, float] = field(default_factory=dict)
    """Moments, in seconds, with what happened then."""


@dataclass(frozen=True)
class Bar:
    """From `begin` to `end`, in seconds."""

    lane: str
    label: str
    begin: float
    end: float


@dataclass(frozen=True)
class Bars:
    """What took how long, one lane below the other."""

    file: str
    title: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Report:
    """`data` are all single measurements, for who wants to count for themselves."""

    name: str
    about: str
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    drawings: tuple[Lines | Bars, ...] = ()
    data: dict[str, object] = field(default_factory=dict)
    when: str = ""
    """And of which revision, on how busy a machine."""

    @property
    def is_met(self) -> bool:
        return all(figure.is_met is not False for figure in self.figures)


def markdown(report: Report, *, pictures: bool = False) -> str:
    return "\n".join(_markdown(report, pictures))


def as_data(report: Report) -> dict[str, object]:
    """For JSON."""
    told = {**dataclasses.asdict(dataclasses.replace(report, data={})), "data": report.data}
    for figure, one in zip(told["figures"], report.figures, strict=True):
        figure["met"] = one.is_met
    return told


def from_data(told: object) -> Report:
    """What `as_data` has made of it. Raises ValidationError."""
    return TypeAdapter(Report).validate_python(told)


def present(report: Report, options: argparse.Namespace) -> int:
    """Print it; the exit code tells whether every target was met."""
    print(json.dumps(as_data(report), indent=2) if options.json else markdown(report))
    return 0 if report.is_met else 1


def parser_of(about: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="all measurements instead of tables")
    return parser


def _markdown(report: Report, pictures: bool) -> Iterator[str]:
    yield f"## {report.name}\n\n{report.about}\n"
    if report.when:
        yield f"Measured {report.when}.\n"
    if report.figures:
        yield from _rows(("figure", "reached", "target", "", "beside"), [_figure(one) for one in report.figures])
    for table in report.tables:
        yield f"**{table.title}**\n"
        yield from _rows(table.columns, table.rows)
    for drawing in report.drawings if pictures else ():
        yield f"![{drawing.title}]({drawing.file})\n"


def _figure(one: Figure) -> tuple[Cell, ...]:
    verdict = {None: "", True: "met", False: "**missed**"}[one.is_met]
    target = "" if one.target is None else f"{_text(one.target)} {one.unit}".strip()
    return one.what, f"{_text(one.reached)} {one.unit}".strip(), target, verdict, one.beside


def _rows(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Iterator[str]:
    yield "| " + " | ".join(columns) + " |"
    yield "|---" + "|---:" * (len(columns) - 1) + "|"
    for row in rows:
        yield "| " + " | ".join(map(_text, row)) + " |"
    yield ""


def _text(cell: Cell) -> str:
    if not isinstance(cell, float):
        return str(cell).replace("|", "\\|")
    return f"{cell:.0f}" if abs(cell) >= 100 else f"{cell:.3g}"
