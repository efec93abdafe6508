"""What can be broken at a site by who owns it: faults at a PrivateCluster, for a proof."""

import asyncio
from subprocess import SubprocessError

from howdah.proof.faults import Fault, SiteSide
from howdah.testing.cluster import PrivateCluster
from howdah.testing.processes import processes_with

CRASHED = 1.0
"""Seconds until a controller that was killed is started again."""
FROZEN = 3.0
BOTH = frozenset({"storm", "submissions"})


def site_side(cluster: PrivateCluster, *, frozen: float = FROZEN) -> SiteSide:
    """`frozen`: seconds that a daemon hangs. Longer than Slurm's MessageTimeout (10 s), answers of submissions that
    Slurm has accepted are lost."""

    async def kill_controller() -> bool:
        await asyncio.to_thread(cluster.slurm.kill_controller)
        await asyncio.sleep(CRASHED)
        await asyncio.to_thread(cluster.slurm.start_controller)
        return True

    async def freeze_controller() -> bool:
        cluster.slurm.freeze()
        try:
            await asyncio.sleep(frozen)
        finally:
            cluster.slurm.thaw()
        return True

    async def kill_sshd() -> bool:
        await asyncio.to_thread(cluster.sshd.kill_connections)
        return True

    async def freeze_sshd() -> bool:
        await asyncio.to_thread(cluster.sshd.freeze)
        try:
            await asyncio.sleep(frozen)
        finally:
            await asyncio.to_thread(cluster.sshd.thaw)
        return True

    return SiteSide(
        faults=[
            Fault("slurmctld killed", kill_controller),
            Fault(f"slurmctld frozen for {frozen:g} s", freeze_controller, BOTH),
            Fault("sshd's connections killed", kill_sshd, BOTH),
            Fault(f"sshd frozen for {frozen:g} s", freeze_sshd),
            *_of_accounting(cluster, frozen),
            *_of_disk(cluster, frozen),
        ],
        tend=lambda: asyncio.to_thread(_resume_node, cluster),
        lives=lambda key: bool(processes_with("HOWDAH_KEY", key)),
    )


def _of_accounting(cluster: PrivateCluster, seconds: float) -> list[Fault]:
    accounting = cluster.slurm.accounting
    if accounting is None:
        return []

    async def down() -> bool:
        await asyncio.to_thread(accounting.stop)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(accounting.start)
        return True

    async def freeze() -> bool:
        cluster.slurm.freeze("slurmdbd")
        try:
            await asyncio.sleep(seconds)
        finally:
            cluster.slurm.thaw("slurmdbd")
        return True

    return [
        Fault(f"slurmdbd down for {seconds:g} s", down),
        Fault(f"slurmdbd frozen for {seconds:g} s", freeze),
    ]


def _of_disk(cluster: PrivateCluster, seconds: float) -> list[Fault]:
    disk = cluster.disk
    if disk is None:
        return []

    async def full() -> bool:
        await asyncio.to_thread(disk.fill)
        try:
            await asyncio.sleep(seconds)
        finally:
            disk.make_room()
        return True

    return [Fault(f"scratch full for {seconds:g} s", full)]


def _resume_node(cluster: PrivateCluster) -> None:
    """A controller that forgot its last seconds gives ids away again that its node still knows, and then drains the
    node for that. Its operators would look, and resume it."""
    try:
        if "drain" in cluster.slurm.run("sinfo", "--noheader", "--partition=debug", "--format=%T"):
            cluster.slurm.run("scontrol", "update", "NodeName=node", "State=RESUME")
    except SubprocessError:
        return  # it is just being killed
