"""How the workers of a fleet are started anew when another build is to serve."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from howdah.workers.embedded import fleet
from howdah.workers.embedded.children import spawn
from howdah.workers.embedded.copies import PACKAGE, accept_build, code_of
from howdah.workers.embedded.crew import Crew
from howdah.workers.embedded.fleet import KeptWorker, Surroundings
from howdah.workers.embedded.served import Kind, Served
from howdah.workers.embedded.steward import LOOK, LOOK_RARELY, pause_after
from howdah.workers.embedded.word import Word, encode
from howdah.workers.state import StateFolder, WorkerProcess, open_state_folder
from howdah.workers.versioning.builds import build_of

LOCAL = Served(Kind.SITE, "local")


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateFolder:
    monkeypatch.setenv("HOWDAH_STATE", str(tmp_path / "state"))
    return open_state_folder()


def kept(state: StateFolder, release: str) -> str:
    """A build that has a copy, of no code to speak of."""
    beside = state.versions / release / PACKAGE
    beside.mkdir(parents=True)
    (beside / "__init__.py").write_text(f'__version__ = "{release}"\n')
    build = build_of(beside)
    beside.parent.rename(code_of(state, build))
    return build


def standing_in(served: Served, flags: list[str]) -> list[str]:
    """A worker that is ready at once; if it is on trial it passes when it is spoken to."""
    passed = encode(Word(accepted=True)).decode().strip()
    told = f"read address; echo '{passed}'; " if "--trial" in flags else ""
    return ["sh", "-c", f"echo ready; {told}exec cat > /dev/null", "sh"]


async def test_a_restart_is_not_lost_on_a_worker_that_is_just_being_started(
    state: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = kept(state, "0.1.0"), kept(state, "0.2.0")
    serving, changed = [before], asyncio.Event()
    address = asyncio.get_running_loop().create_future()

    async def spawn_slowly(*command: Any, **settings: Any) -> asyncio.subprocess.Process:
        if serving == [before]:
            serving[0] = after
            worker.restart()
        return await spawn(*command, **settings)

    monkeypatch.setattr(fleet, "spawn", spawn_slowly)
    monkeypatch.setattr(fleet, "worker_command", standing_in)
    worker = KeptWorker(
        LOCAL,
        Surroundings(
            folder=state,
            fleet=0,
            address=lambda: address,
            build=lambda: serving[0],
            flags=lambda served: [],
            changed=changed.set,
            heard=lambda served, line: None,
            say=lambda text: None,
        ),
    )
    keeping = asyncio.create_task(worker.keep())
    while not (worker.process and worker.process.ready):
        changed.clear()
        await changed.wait()
    assert worker.process.build == after
    assert not worker.trouble
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


async def test_a_fleet_that_took_over_is_ready_when_this_machine_is_served_by_the_new_build(
    state: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = kept(state, "0.1.0"), kept(state, "0.2.0")
    accept_build(state, before)
    monkeypatch.setattr(fleet, "worker_command", standing_in)
    look, when_ready = asyncio.Event(), list[WorkerProcess]()

    def changed() -> None:
        if crew.is_ready and not when_ready:
            when_ready.extend(crew.report()["workers"])
        if all(any(one.name == name and one.ready for one in crew.report()["workers"]) for name in ("local", None)):
            crew.serve_at("127.0.0.1:1")
        look.set()

    crew = Crew(state, 0, after, changed=changed, look=look.set, say=lambda text: None)
    while not when_ready:
        look.clear()
        await crew.follow()
        await look.wait()
    await crew.end()
    assert [one.build for one in when_ready if one.name == "local"] == [after]


def test_what_is_pinned_is_looked_at_rarely_while_bundles_are_of_the_same_build() -> None:
    one, other = "0.1.0-aaaaaaaa", "0.2.0-bbbbbbbb"
    assert pause_after({f"howdah:{one}", f"lattice:{one}"}) == LOOK_RARELY
    assert pause_after({f"howdah:{one}", f"lattice:{other}"}) == LOOK
