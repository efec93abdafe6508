"""The table of a proof: what was broken, what ran, and what was found wrong."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from howdah.cli.answers import Proof, ProofRow

COLUMNS = (
    *("scenario", "faults", "jobs", "attempts", "bodies", "second", "lost", "duplicated", "wrong", "orphans"),
    *("seconds", "verdict"),
)
SHOWN = 10
"""Sentences of a kind; all of them are in the JSON."""


def proof_page(proof: Proof) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="dim")
    for number, column in enumerate(COLUMNS):
        table.add_column(column, justify="right" if 0 < number < len(COLUMNS) - 1 else "left", no_wrap=True)
    for row in proof.rows:
        table.add_row(*_cells(row))
    notes = [Text(line) for row in proof.rows for line in _notes(row)]
    return Group(table, Text(), *notes, *_verdict(proof))


def _cells(row: ProofRow) -> Iterator[RenderableType]:
    yield row.scenario
    if row.skipped:
        yield from ("-" for _ in COLUMNS[2:])
        yield Text("skipped", style="yellow")
        return
    yield from map(str, (sum(row.faults.values()), row.jobs, row.attempts, row.bodies))
    yield "?" if row.second is None else str(row.second)
    for found in (row.lost, row.duplicated, row.wrong, row.orphans):
        yield Text(str(len(found)), style="bold red" if found else "")
    yield f"{row.seconds:.0f}"
    yield Text("holds", style="green") if row.holds else Text("FAILED", style="bold red")


def _notes(row: ProofRow) -> Iterator[str]:
    if row.skipped:
        yield f"{row.scenario}: skipped, {row.skipped}"
        return
    if row.faults:
        yield f"{row.scenario}: " + ", ".join(f"{number} x {what}" for what, number in row.faults.items())
    for name, value in row.figures.items():
        yield f"{row.scenario}: {name}: {value:g}"
    for kind, found in (("lost", row.lost), ("duplicated", row.duplicated), ("wrong", row.wrong)):
        yield from _sentences(row.scenario, kind, found)
    yield from _sentences(row.scenario, "orphan", row.orphans)


def _sentences(scenario: str, kind: str, found: tuple[str, ...]) -> Iterator[str]:
    for sentence in found[:SHOWN]:
        yield f"{scenario}: {kind}: {sentence}"
    if len(found) > SHOWN:
        yield f"{scenario}: {kind}: and {len(found) - SHOWN} more, see --json"


def _verdict(proof: Proof) -> Iterator[Text]:
    if any(row.second is None and not row.skipped for row in proof.rows):
        yield Text("second: this kind of site keeps no record of batch jobs that did nothing, so they are not counted")
    if proof.holds:
        yield Text(f"It holds at {proof.site} (seed {proof.seed}).", style="green")
    else:
        yield Text(f"It does not hold at {proof.site} (seed {proof.seed}).", style="bold red")
    for place in proof.kept:
        yield Text(f"kept to look at: {place}")
