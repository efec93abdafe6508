"""The configuration of a private Slurm, as text."""

import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

OPTIONS = {
    "AuthType": "auth/munge",
    "CredType": "cred/munge",
    "MpiDefault": "none",
    "ProctrackType": "proctrack/linuxproc",
    "ReturnToService": "2",
    "SwitchType": "switch/none",
    "TaskPlugin": "task/none",
    "SchedulerType": "sched/backfill",
    # Rounds every second, the shortest there is: a job that can start does so after half a second on average.
    "SchedulerParameters": "sched_min_interval=0,sched_interval=1,batch_sched_delay=0,bf_interval=1",
    "SelectType": "select/cons_tres",
    "SelectTypeParameters": "CR_Core",
    "AccountingStorageType": "accounting_storage/none",
    "JobCompType": "jobcomp/none",
    "JobAcctGatherType": "jobacct_gather/none",
    "SlurmdParameters": "config_overrides",  # more cores than this machine has
    "InactiveLimit": "0",
    "MinJobAge": "300",
    "KillWait": "3",
    "SlurmctldDebug": "info",
}

MEMORY_LIMITS = {
    "TaskPlugin": "task/cgroup",
    "SelectTypeParameters": "CR_Core_Memory",  # else no job has a limit of its own
    "DefMemPerCPU": "100",
}


class Node(NamedTuple):
    """A node daemon on this machine."""

    name: str
    port: int
    cpus: int


def render(
    folder: Path,
    sockets: Path,
    *,
    port: int,
    nodes: Sequence[Node],
    partitions: Sequence[str],
    options: Mapping[str, str],
) -> str:
    """slurm.conf. Sockets are made in `sockets`, everything else in `folder`; `options` win over what is here."""
    host, user = socket.gethostname().partition(".")[0], str(os.getuid())
    lines = {
        "ClusterName": "howdah",
        "SlurmctldHost": f"{host}(127.0.0.1)",
        "SlurmctldPort": str(port),
        "AuthInfo": f"socket={sockets}/munge.socket",
        "SlurmUser": user,
        "SlurmdUser": user,
        "SlurmctldPidFile": f"{folder}/slurmctld.pid",
        "SlurmdPidFile": f"{folder}/slurmd-%n.pid",
        "SlurmdSpoolDir": f"{sockets}/%n",
        "StateSaveLocation": f"{folder}/state",
        "SlurmctldLogFile": f"{folder}/slurmctld.log",
        "SlurmdLogFile": f"{folder}/slurmd-%n.log",
        **OPTIONS,
        **options,
    }
    told = (f"{name}={value}" for name, value in lines.items())
    return "\n".join((*told, *map(_node, nodes), *_partitions(nodes), *partitions, ""))


def _node(node: Node) -> str:
    host = socket.gethostname().partition(".")[0]
    return (
        f"NodeName={node.name} NodeHostname={host} NodeAddr=127.0.0.1 Port={node.port} CPUs={node.cpus} Boards=1"
        f" SocketsPerBoard=1 CoresPerSocket={node.cpus} ThreadsPerCore=1 RealMemory=64000 State=UNKNOWN"
    )


def _partitions(nodes: Sequence[Node]) -> list[str]:
    first, *others = (node.name for node in nodes)
    return [
        f"PartitionName=debug Nodes={first} Default=YES MaxTime=60 DefaultTime=10 State=UP",
        f"PartitionName=short Nodes={first} MaxTime=1 State=UP",
        f"PartitionName=down Nodes={first} MaxTime=60 State=DOWN",
        *(f"PartitionName=node{number} Nodes={name} MaxTime=60 State=UP" for number, name in enumerate(others, 2)),
    ]
