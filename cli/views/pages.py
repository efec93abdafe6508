"""Each kind of answer as text."""

from datetime import timedelta
from functools import singledispatch

from pydantic import BaseModel
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from howdah.cli import answers
from howdah.cli.deployed import Deployments, DrainShown, Routed
from howdah.cli.judged import JobsListed
from howdah.cli.views.experiments import ExperimentTable
from howdah.cli.views.proof import proof_page
from howdah.cli.views.screen import screen
from howdah.cli.views.slots import slot_lines
from howdah.cli.views.times import state_text, utc_now, when
from howdah.cli.views.versions import deployments_page, drain_page, routed_page
from howdah.cli.views.workers import workers_page
from howdah.models.units import human_duration, human_size


@singledispatch
def page(answer: BaseModel) -> RenderableType:
    """Whatever has no page of its own is shown as the JSON it is."""
    return Text(answer.model_dump_json(by_alias=True, indent=2))


@page.register
def _(answer: answers.Started) -> RenderableType:
    return Text(answer.id)


@page.register
def _(answer: answers.Said) -> RenderableType:
    return Text(answer.message)


@page.register
def _(answer: answers.Keys) -> RenderableType:
    return Text("\n".join(f"{key.id}  {'seals' if key.seals else 'opens'}" for key in answer.root))


@page.register
def _(answer: answers.Overview) -> RenderableType:
    return screen(answer, utc_now())


@page.register
def _(answer: answers.Experiments) -> RenderableType:
    if not answer.experiments:
        return Text("No experiment is like that. Start one: howdah start experiment.yaml")
    return ExperimentTable(answer.experiments, utc_now())


@page.register
def _(answer: answers.Plan) -> RenderableType:
    places = Table.grid(padding=(0, 2))
    places.add_row("would run", f"{answer.name} at {answer.site}")
    places.add_row("folder", answer.folder)
    for item in answer.inputs:
        size = "" if item.size is None else human_size(item.size)
        size += f" in {item.files} files" if item.files is not None and item.files != 1 else ""
        places.add_row("input", f"{item.path}  from {item.source}  {size}".rstrip())
    if len(answer.inputs) > 1:
        places.add_row("inputs", f"{answer.files} files, {human_size(answer.size)}")
    if answer.depot:
        places.add_row("depot", answer.depot)
    for output in answer.outputs:
        places.add_row("output", output)
    places.add_row("results", answer.results)
    return Group(places, Text(), page(answer.script))


@page.register
def _(answer: answers.Outcomes) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for outcome in answer.root:
        table.add_row(outcome.id, state_text(outcome.state), outcome.message)
    return table


@page.register
def _(answer: answers.Outcome) -> RenderableType:
    return Text.assemble((answer.id, "bold"), "  ", state_text(answer.state), f"  {answer.message}".rstrip())


@page.register
def _(answer: answers.Explained) -> RenderableType:
    return Text("\n".join(answer.lines))


@page.register
def _(answer: answers.Fetched) -> RenderableType:
    lines = [f"{file.location}  {human_size(file.size)}" for file in answer.outputs]
    lines += [f"warning: {warning}" for warning in answer.warnings]
    return Text("\n".join(lines) or f"Nothing to fetch: no output of {answer.id} is there.")


@page.register
def _(answer: answers.Script) -> RenderableType:
    return Text(f"{answer.script.rstrip()}\n\n# What it runs, .howdah/command:\n\n{answer.command.rstrip()}")


@page.register
def _(answer: answers.SitesShown) -> RenderableType:
    is_known = any(row.state for row in answer.root)
    table = _table("site", "kind", "reached by", *(["state"] if is_known else []), "labels", "description")
    for row in answer.root:
        site, state = row.site, [_condition(row.state)] if is_known else []
        table.add_row(
            site.name, site.kind, site.ssh or "this machine", *state, ", ".join(site.labels), site.description
        )
    return table


@page.register
def _(answer: answers.SiteShown) -> RenderableType:
    if answer.state is None:
        return _fields(answer.site)
    parts: list[RenderableType] = [Text.assemble("state  ", _condition(answer.state))]
    for report in answer.state.reports:
        parts += [
            Text(f"  {one.part}: {one.message} ({one.cause}), found by {report.worker}") for one in report.troubles
        ]
    if answer.state.hint:
        parts.append(Text.assemble(("hint: ", "bold cyan"), answer.state.hint))
    if answer.slots:
        parts += slot_lines(answer.slots)
    return Group(*parts, Text(), _fields(answer.site))


@page.register
def _(answer: answers.SiteChanged) -> RenderableType:
    return Text(f"{answer.site} {answer.message}")


@page.register
def _(answer: answers.SiteChecked) -> RenderableType:
    findings = [answers.Finding(**check.model_dump()) for check in answer.checks]
    return _findings(findings)


@page.register
def _(answer: JobsListed) -> RenderableType:
    parts: list[RenderableType] = []
    if answer.jobs:
        table = _table("site", "batch job", "state", "whose", "for", "experiment")
        notes = []
        for row in answer.jobs:
            age = human_duration(timedelta(seconds=row.age)) if row.age is not None else ""
            whose = row.verdict.replace("_", " ")
            table.add_row(row.site, row.native_id, row.state, whose, age, row.experiment or row.key)
            if about := "; ".join(filter(None, [row.why, "cancelled, seen gone" if row.gone else row.left])):
                notes.append(Text(f"{row.native_id}: {about}"))
        parts += [table, *notes]
    if answer.missing:
        table = _table("site", "missing", "believed to be", "experiment")
        for one in answer.missing:
            table.add_row(one.site, one.native_id or one.key, one.state, one.experiment)
        parts += [table, *(Text(why) for why in sorted({one.why for one in answer.missing}))]
    if answer.asked and not parts:
        parts.append(Text(_nothing_at(answer)))
    parts += [Text(f"{site} was not looked at: {why}", style="yellow") for site, why in answer.unasked.items()]
    return Group(*parts)


def _nothing_at(answer: JobsListed) -> str:
    sites = ", ".join(answer.asked)
    if not answer.looked_at:
        return f"No batch job of howdah is at {sites}."
    jobs = "1 batch job was" if answer.looked_at == 1 else f"{answer.looked_at:,} batch jobs were"
    return f"Nothing odd at {sites}: {jobs} looked at."


@page.register
def _(answer: answers.CacheShown) -> RenderableType:
    now = utc_now()
    rows = Table.grid(padding=(0, 2))
    rows.add_row("folder", answer.folder or "there is none yet")
    rows.add_row("limit", human_size(answer.limit) if answer.limit else "nothing is kept")
    rows.add_row("kept", f"{answer.objects} inputs, {human_size(answer.bytes)}")
    if answer.oldest and answer.newest:
        rows.add_row("used", f"the oldest {when(answer.oldest, now)}, the newest {when(answer.newest, now)}")
    if answer.unfinished:
        rows.add_row("unfinished", f"{answer.unfinished}, {human_size(answer.unfinished_bytes)}")
    return rows


@page.register
def _(answer: answers.CacheCleanedAt) -> RenderableType:
    left = f"{answer.left.objects} inputs are left, {human_size(answer.left.bytes)}"
    return Text(f"{answer.removed} removed, {human_size(answer.freed)} freed; {left}")


@page.register
def _(answer: answers.Trusted) -> RenderableType:
    return Text(f"{answer.host} is trusted with {answer.fingerprint}, noted in {answer.file}")


@page.register
def _(answer: answers.Types) -> RenderableType:
    table = _table("type", "task queue", "description")
    for row in answer.root:
        table.add_row(row.name, row.task_queue, f"broken: {row.broken}" if row.broken else row.description)
    return table


@page.register
def _(answer: answers.TypeShown) -> RenderableType:
    table = _table("key", "form", "default", "meaning", whole=1)
    for key in answer.keys:
        table.add_row(key.name, key.form, key.default, key.meaning)
    return Group(Text(f"{answer.name}: {answer.description}"), Text(), table)


@page.register
def _(answer: Deployments) -> RenderableType:
    return deployments_page(answer, utc_now())


@page.register
def _(answer: Routed) -> RenderableType:
    return routed_page(answer)


@page.register
def _(answer: DrainShown) -> RenderableType:
    return drain_page(answer)


@page.register
def _(answer: answers.Workers) -> RenderableType:
    return workers_page(answer, utc_now())


@page.register
def _(answer: answers.Diagnosis) -> RenderableType:
    return _findings(answer.root)


def _condition(state: answers.SiteCondition | None) -> Text:
    if state is None:
        return Text("unknown", style="dim")
    return Text(state.text, style="yellow") if state.text else Text(state.condition, style="green")


@page.register
def _(answer: answers.Proof) -> RenderableType:
    return proof_page(answer)


def _findings(findings: tuple[answers.Finding, ...] | list[answers.Finding]) -> Table:
    table = Table.grid(padding=(0, 2))
    for finding in findings:
        style, mark = ("red", "✗") if not finding.ok else ("yellow", "!") if finding.warning else ("green", "✓")
        told = Text(finding.found)
        if finding.hint and (finding.warning or not finding.ok):
            told.append(f"\nhint: {finding.hint}", style="cyan")
        table.add_row(Text(mark, style=style), finding.name, told)
    return table


def _table(*columns: str, whole: int = 2) -> Table:
    """Of the first columns, `whole` are never folded."""
    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="dim")
    for index, column in enumerate(columns):
        table.add_column(column, no_wrap=index < whole, overflow="fold")
    return table


def _fields(answer: BaseModel) -> Table:
    table = Table.grid(padding=(0, 2))
    for name in type(answer).model_fields:
        value = getattr(answer, name)
        if value not in (None, "", ()):
            table.add_row(name, Text(_plain(value)))
    return table


def _plain(value: object) -> str:
    if isinstance(value, timedelta):
        return human_duration(value)
    if isinstance(value, BaseModel):
        inner = {name: getattr(value, name) for name in type(value).model_fields}
        return ", ".join(f"{name} {_plain(item)}" for name, item in inner.items() if item not in (None, {}))
    if isinstance(value, dict):
        return "; ".join(f"{name} ({_plain(item)})" for name, item in value.items())
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
