"""Carries a proof out: a world, one scenario after the other, and the verdict on each."""

import asyncio
import random
import resource
import secrets
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from howdah.cli.answers import Proof, ProofRow
from howdah.cli.errors import CommandFailed
from howdah.cli.questions import ask
from howdah.cli.settings import Setting
from howdah.cli.spec_file import changed_spec
from howdah.errors import SiteError, UnknownName, UserError
from howdah.models.answers import Nothing
from howdah.models.sites import Site
from howdah.models.spec import ExperimentSpec
from howdah.proof.batch_jobs import Unanswered
from howdah.proof.eyes import Eyes
from howdah.proof.faults import Fault, SiteSide, of_connection, of_processes
from howdah.proof.jobs import Laboratory
from howdah.proof.scenarios import SCENARIOS
from howdah.proof.stage import Ran, Scenario, Stage
from howdah.proof.verdict import Seen, judge
from howdah.proof.way import NoWay, through
from howdah.proof.world import World, is_kept, keep, world_folder
from howdah.steps import questions

FILES = 1024
"""Open files: a connection here, at the wire and at the server for each of ours, and some to spare."""
SETTLES = 120.0
"""Seconds in which a scheduler notes the end of what has just ended."""

TEND = 2.0
"""Seconds between two looks of the site's own operators."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Wish:
    """What the user wants. `jobs` None: as many as each scenario says itself. `outage` and `within` (for each
    scenario) in seconds. `half_open`: connections fall silent too, which takes a minute each to be noticed."""

    scenarios: tuple[str, ...] = tuple(SCENARIOS)
    jobs: int | None = None
    seed: int = 1
    outage: float = 60.0
    within: float = 1800.0
    settings: tuple[Setting, ...] = ()
    half_open: bool = False

    def chosen(self) -> list[Scenario]:
        """Raises: UnknownName."""
        for name in self.scenarios:
            if name not in SCENARIOS:
                raise UnknownName(f"No scenario {name!r}.", hint=f"there are: {', '.join(SCENARIOS)}")
        return [scenario for name, scenario in SCENARIOS.items() if name in self.scenarios]

    def check(self) -> None:
        """Raises: SpecError when the settings cannot be."""
        changed_spec(ExperimentSpec(name="proof", command=":"), self.settings)

    def jobs_of(self, scenario: Scenario) -> int:
        return self.jobs or scenario.jobs


def announcement(site: Site, wish: Wish) -> list[str]:
    """What will be done to the site, a line each."""
    lines = []
    for scenario in wish.chosen():
        plan = scenario.plan(wish.jobs_of(scenario), wish.outage)
        logins = f", about {plan.logins} new logins" if plan.logins else ""
        lines.append(f"{scenario.name}: {plan.jobs} batch jobs of at most {plan.seconds:g} s each{logins}")
    return [
        *lines,
        f"at most {site.limits.submitted} batch jobs at once, as the site's limits say, each of one task;"
        f" they are ended, and the folder {site.scratch}/.prove-... is removed, when it is over",
        "only processes and connections of the proof itself are broken, nothing of the site's or of yours",
    ]


@dataclass
class Prover:
    """`site` as the user has it. `side` are faults for who owns the site."""

    site: Site
    wish: Wish
    say: Say
    side: SiteSide = field(default_factory=SiteSide)

    def __post_init__(self) -> None:
        self.token = f"prove-{secrets.token_hex(3)}"
        self._random = random.Random(self.wish.seed)  # noqa: S311  # the same faults again for the same seed

    async def run(self) -> Proof:
        """Raises: UserError when the proof cannot be carried out here, SiteError when the site cannot be reached."""
        _enough_files()
        _end_in_order()
        wanted = self.wish.chosen()
        self.wish.check()
        async with AsyncExitStack() as stack:
            folder = stack.enter_context(world_folder())
            eyes, lab = await self._set_up(stack, folder)
            await self._check(lab.world)
            rows = []
            for scenario in wanted:
                self.say(f"{scenario.name}: {scenario.promise}")
                rows.append(await self._prove(scenario, eyes, lab))
            proof = Proof(site=self.site.name, seed=self.wish.seed, rows=tuple(rows))
            if proof.holds:
                return proof
            keep(folder)
            return proof.model_copy(update={"kept": (str(folder), f"{self.site.name}:{eyes.root}")})

    async def _set_up(self, stack: AsyncExitStack, folder: Path) -> tuple[Eyes, Laboratory]:
        every = max(2.0, min(10.0, self.site.limits.poll.total_seconds() / 3))
        eyes = Eyes(self.site, self.token, every=every)
        await stack.enter_async_context(eyes.open())
        site = self.site.model_copy(update={"scratch": f"{eyes.root}/jobs"})
        try:
            site, wire = await through(stack, site, folder)
        except NoWay as error:
            self.say(f"only processes are killed, no connection is cut: {error}")
            wire = None
        stack.push_async_callback(self._tidy_up, eyes, folder)
        world = World(folder, site, wire)
        await stack.enter_async_context(world.open())
        return eyes, Laboratory(world, self.token, self.wish.settings)

    async def _tidy_up(self, eyes: Eyes, folder: Path) -> None:
        """At the site, when nothing of ours runs here any more, however that came."""
        try:
            await eyes.end_all()
            if not is_kept(folder):
                await eyes.remove()
        except (SiteError, Unanswered) as error:
            self.say(
                f"{eyes.root} at {self.site.name}, and batch jobs that begin with {self.token}, may be left: {error}"
            )

    async def _check(self, world: World) -> None:
        """What does not work before anything is broken proves nothing. Raises: CommandFailed."""
        found = await world.call(
            lambda connection: ask(connection.client, questions.check, Nothing(), site=self.site.name)
        )
        if wrong := [item for item in found.checks if not item.ok]:
            for item in wrong:
                self.say(f"{item.name}: {item.found}" + (f" ({item.hint})" if item.hint else ""))
            raise CommandFailed(
                f"Site {self.site.name} is not in order, so there is nothing to prove: {wrong[0].name}.",
                hint=f"mend it first: howdah site check {self.site.name}",
            )

    async def _prove(self, scenario: Scenario, eyes: Eyes, lab: Laboratory) -> ProofRow:
        if why := scenario.impossible(lab.world):
            return ProofRow(scenario=scenario.name, skipped=why)
        began = time.monotonic()
        stage = Stage(
            world=lab.world,
            lab=lab,
            eyes=eyes,
            side=self.side,
            faults=self._faults(lab.world),
            random=self._random,
            say=self.say,
            jobs=self.wish.jobs_of(scenario),
            outage=self.wish.outage,
            deadline=began + self.wish.within,
        )
        async with _beside(eyes.keep_looking()), _beside(_keep_tending(self.side)):
            ran = await scenario.run(stage)
            row = await self._judged(scenario, stage, ran)
        return row.model_copy(update={"seconds": round(time.monotonic() - began, 1)})

    def _faults(self, world: World) -> list[Fault]:
        found = [*of_processes(world), *of_connection(world), *self.side.faults]
        if self.wish.half_open:
            found = [
                Fault(one.name, one.do, frozenset({"storm"})) if "storm half-open" in one.scenarios else one
                for one in found
            ]
        return found

    async def _judged(self, scenario: Scenario, stage: Stage, ran: Ran) -> ProofRow:
        prefix = f"hd-{self.token}-{scenario.name}-"
        known = await stage.lab.progress(ran.expected)
        seen = await self._settled(stage, prefix)
        entries = [entry for entry in await stage.eyes.read_ledger() if entry.key.startswith(prefix)]
        found = judge(ran.expected, known, entries, seen, counted=stage.eyes.counts)
        return ProofRow(
            scenario=scenario.name,
            faults=dict(sorted(ran.faults.items())),
            jobs=len(ran.expected),
            attempts=found.attempts,
            bodies=found.bodies,
            second=found.second,
            lost=found.lost,
            duplicated=found.duplicated,
            wrong=(*found.wrong, *ran.wrong),
            orphans=(*found.orphans, *await stage.lab.called_orphans(self.side.lives)),
            figures=ran.figures,
        )

    async def _settled(self, stage: Stage, prefix: str) -> list[Seen]:
        """The batch jobs of a scenario once none is alive any more, or none ends any more.

        A controller that was killed before it noted an end believes in a job that has no process: that is its own
        trouble, and passes.
        """
        give_up = time.monotonic() + SETTLES
        while True:
            seen = [row for row in await stage.eyes.look_back() if row.key.startswith(prefix)]
            real = [row._replace(alive=row.alive and self._is_real(row)) for row in seen]
            if not any(row.alive for row in real) or time.monotonic() > give_up:
                return real
            await asyncio.sleep(1)

    def _is_real(self, row: Seen) -> bool:
        return row.word == "PENDING" or self.side.lives(row.key)


def _enough_files() -> None:
    """Raises: UserError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= FILES:
        return
    if hard != resource.RLIM_INFINITY and hard < FILES:
        raise UserError(
            f"This process may have {hard} files open; a proof needs {FILES}.",
            hint=f"raise the limit, for example with: ulimit -n {FILES}",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, hard))


def _end_in_order() -> None:
    """A SIGTERM ends a proof as Ctrl-C does: with nothing of it left behind, here or at the site."""
    task = asyncio.current_task()
    if task is not None and threading.current_thread() is threading.main_thread():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


async def _keep_tending(side: SiteSide) -> None:
    while True:
        await side.tend()
        await asyncio.sleep(TEND)


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
