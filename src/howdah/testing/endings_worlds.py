"""The worlds in which batch jobs end: what a site may keep of them, and what of it may be out of order."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from howdah.models.sites import SlurmSite
from howdah.testing import memory_limits
from howdah.testing.clocks import wrong_clocks
from howdah.testing.endings import Ending
from howdah.testing.slurm import PrivateSlurm

_PROLOG = """#!/bin/sh
# Fails once for each job on two of the nodes.
case $SLURMD_NODENAME in node8*|node9*) ;; *) exit 0 ;; esac
[ -e {folder}/prolog.$SLURM_JOB_ID ] && exit 0
touch {folder}/prolog.$SLURM_JOB_ID
exit 1
"""
_PARTITIONS = tuple(
    f"PartitionName={name}{number} Nodes={{node{number}}} MaxTime=60 PriorityTier={tier} PreemptMode={mode} State=UP"
    for number, mode in ((5, "CANCEL"), (6, "REQUEUE"), (7, "REQUEUE"))
    for name, tier in (("spare", 1), ("urgent", 9))
)
_OPTIONS: dict[str, Any] = {"PreemptType": "preempt/partition_prio", "PreemptMode": "REQUEUE", "KillWait": "2"}


def lacking() -> dict[str, str]:
    """What endings may need and this machine does not have, and why."""
    limits = memory_limits.missing()
    others = "" if os.getuid() == 0 else "only root submits jobs of other accounts"
    return {name: why for name, why in (("memory_limits", limits), ("other_user", others)) if why}


_FORGETFUL = {"MinJobAge": "2"}


@dataclass(frozen=True)
class World:
    """`trouble` of the accounting from the first job on: `down` or `frozen`. `login` and `node`: seconds by which the
    clocks there are ahead."""

    accounting: bool = False
    trouble: Literal["", "down", "frozen"] = ""
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    login: int = 0
    node: int = 0

    def slurm(self, folder: Path) -> PrivateSlurm:
        """Its jobs are nobody's, so everybody must be able to enter the folder."""
        folder.chmod(0o755)
        prolog = folder / "prolog"
        prolog.write_text(_PROLOG.format(folder=folder))
        prolog.chmod(0o755)
        return PrivateSlurm(
            folder / "slurm",
            nodes=9,
            partitions=_PARTITIONS,
            accounting=self.accounting,
            memory_limits="memory_limits" not in lacking(),
            Prolog=str(prolog),
            **{**_OPTIONS, **self.options},
        )

    def may_have_forgotten(self, ending: Ending) -> bool:
        """Nobody need know any more how it ended when the next look comes."""
        if self.options.get("MinJobAge") != _FORGETFUL["MinJobAge"]:
            return False
        return ending.untraceable or (ending.fleeting and not self.accounting)

    def spoil(self, slurm: PrivateSlurm) -> None:
        if self.trouble == "down":
            slurm.stop_accounting()
        elif self.trouble == "frozen":
            slurm.freeze("slurmdbd")

    def site(self, slurm: PrivateSlurm, folder: Path, *, grace: float) -> SlurmSite:
        scratch = folder / "scratch"
        scratch.mkdir()
        scratch.chmod(0o777)
        first = (wrong_clocks(folder / "clocks", login=self.login, node=self.node),) if self.login or self.node else ()
        return slurm.site("cluster", str(scratch), first=first, grace=f"{grace:g}s")


WORLDS = {
    "with accounting": World(accounting=True),
    "without accounting": World(),
    "MinJobAge=2, without accounting": World(options=_FORGETFUL),
    "MinJobAge=2, with accounting": World(accounting=True, options=_FORGETFUL),
    "clocks an hour apart": World(login=3600, node=-3600),
    "accounting down": World(accounting=True, trouble="down"),
    "accounting frozen": World(accounting=True, trouble="frozen"),
}
