"""What is done to batch jobs from outside, so that they end in every way there is."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable

from howdah.models.states import BatchState
from howdah.testing.endings_scene import Scene

Act = Callable[[Scene], Awaitable[None]]


async def cancelled_by_operator(scene: Scene) -> None:
    await scene.begun()
    await scene.site("scancel", scene.native_id)


async def cancelled_by_its_user(scene: Scene) -> None:
    await scene.begun()
    await scene.account("scancel", scene.native_id)


async def cancelled_in_the_queue(scene: Scene) -> None:
    await scene.until(lambda row: row.reason == "JobHeldUser")
    await scene.site("scancel", scene.native_id)


async def released(scene: Scene) -> None:
    await scene.seen(BatchState.HELD)
    await scene.site("scontrol", "release", scene.native_id)


async def suspended_and_resumed(scene: Scene) -> None:
    await scene.begun()
    await scene.site("scontrol", "suspend", scene.native_id)
    await scene.seen(BatchState.SUSPENDED)
    await scene.site("scontrol", "resume", scene.native_id)


async def requeued(scene: Scene) -> None:
    await scene.begun()
    await scene.site("scontrol", "requeue", scene.native_id)
    await scene.start_now()


async def requeued_and_held(scene: Scene) -> None:
    """For longer than the grace period: the record of the first life must not be taken for the end."""
    await scene.begun()
    await scene.site("scontrol", "requeuehold", scene.native_id)
    await scene.until(lambda row: row.state == "PENDING")
    await asyncio.sleep(scene.grace + 3)
    await scene.site("scontrol", "release", scene.native_id)
    await scene.start_now()


async def out_of_time(scene: Scene) -> None:
    await scene.begun()
    await scene.update("EndTime=now+1")


def signalled(number: int) -> Act:
    """The site sends every process of the job a signal."""

    async def act(scene: Scene) -> None:
        await scene.begun()
        await scene.site("scancel", "--full", f"--signal={number}", scene.native_id)

    return act


def on_crash_of(node: str) -> Act:
    async def act(scene: Scene) -> None:
        await scene.begun()
        name = scene.slurm.node(node)
        await asyncio.to_thread(scene.slurm.crash_node, name)
        await asyncio.to_thread(scene.slurm.call_down, name)

    return act


def called_down(node: str) -> Act:
    async def act(scene: Scene) -> None:
        await scene.begun()
        await asyncio.to_thread(scene.slurm.call_down, scene.slurm.node(node))

    return act


def crashed_and_moved(node: str, to: str) -> Act:
    """Its second life is on another machine: what the controller has yet to tell the one that died (end this job!)
    would reach the same job there once more."""

    async def act(scene: Scene) -> None:
        await on_crash_of(node)(scene)
        await scene.until(lambda row: row.state == "PENDING")
        await scene.update(f"Partition={to}")
        await scene.start_now()

    return act


def preempted_in(partition: str, *, again: bool = False) -> Act:
    async def act(scene: Scene) -> None:
        await scene.begun()
        urgent = ("--exclusive", "--output=/dev/null", "--wrap=sleep 3")
        await scene.site("sbatch", f"--partition={partition}", *urgent)
        if again:
            await scene.start_now()

    return act


async def released_after_a_failed_prolog(scene: Scene) -> None:
    """A node whose prolog failed takes no more jobs; this prolog fails once for each job."""
    await scene.seen(BatchState.HELD)
    await asyncio.to_thread(scene.slurm.mend_node, scene.slurm.node("node9"))
    await scene.site("scontrol", "release", scene.native_id)
    await scene.start_now()


def spoilt(spoil: Callable[[Scene], None]) -> Act:
    """Something happens to the job's folder while it waits in the queue."""

    async def act(scene: Scene) -> None:
        await scene.until(lambda row: row.reason == "JobHeldUser")
        spoil(scene)
        await scene.site("scontrol", "release", scene.native_id)

    return act


def tombstone(scene: Scene) -> None:
    (scene.control / "cancel").touch()


def claimed_by_another(scene: Scene) -> None:
    (scene.control / "claim").symlink_to("999999")


def key_of_another(scene: Scene) -> None:
    (scene.control / "key").write_text("hd-another\n")


def purged(scene: Scene) -> None:
    shutil.rmtree(scene.control.parent)
