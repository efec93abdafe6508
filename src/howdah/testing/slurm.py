"""A real Slurm of one's own: controller, node daemons and munge on free ports, below a folder of one's own.

    with PrivateSlurm(tmp_path / "slurm") as slurm:
        site = slurm.site("cluster", scratch=str(tmp_path / "scratch"))

Runs as root or as a plain user. As root, jobs of other users run as those users; as a plain user all
jobs must be of that user. Nothing here needs the system's own Slurm to be configured or running.
"""

import os
import pwd
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from howdah.models.sites import Limits, SlurmSite
from howdah.testing import memory_limits, slurm_conf
from howdah.testing.accounting import PrivateAccounting
from howdah.testing.daemons import missing_packages, until
from howdah.testing.slurm_daemons import SlurmDaemons
from howdah.workers.embedded.ports import free_port

_PROGRAMS = {"munged": "munge", "slurmctld": "slurm-wlm", "slurmd": "slurm-wlm", "sbatch": "slurm-wlm"}


class SlurmMissing(RuntimeError):
    """Programs are not installed; the message names the Debian packages."""


class Row(NamedTuple):
    """A row of `squeue -t all`."""

    native_id: str
    state: str
    reason: str
    name: str


class PrivateSlurm(SlurmDaemons):
    """Partitions: `debug` (default, up to an hour), `short` (up to one minute), `down` (takes jobs, starts none).

    `options` replace lines of slurm.conf, e.g. MinJobAge="2", KillWait="5". `cpus` is what each node claims to have.
    The three partitions are of the first node; a second one is the partition `node2`, and so on. `partitions` are
    further lines of slurm.conf, in which `{node2}` stands for the name of the second node.

    `accounting` adds slurmdbd and its database. With `qos` there are accounts and limits, too, and this user may use
    them: `{"few": "MaxSubmitJobsPerUser=2", "brief": "MaxWall=10"}`. `memory_limits` kills what uses more memory than
    it asked for (100 MB without asking), where the machine allows it: see howdah.testing.memory_limits.
    """

    def __init__(
        self,
        folder: Path,
        *,
        cpus: int = 64,
        nodes: int = 1,
        partitions: Sequence[str] = (),
        accounting: bool = False,
        qos: Mapping[str, str] | None = None,
        memory_limits: bool = False,
        **options: str,
    ) -> None:
        self._mark = secrets.token_hex(8)
        # Control groups are named for the node, and all Slurms of a machine share them.
        suffix = f"-{self._mark}" if memory_limits else ""
        self._names = {
            name: f"{name}{suffix}" for name in ("node", *(f"node{number + 1}" for number in range(1, nodes)))
        }
        super().__init__(folder, tuple(self._names.values()))
        self.cpus = cpus
        self.qos = dict(qos or {})
        self._partitions = partitions
        self._with_accounting = accounting or bool(qos)
        self._memory_limits = memory_limits
        self._options = options

    def node(self, name: str) -> str:
        """How Slurm calls `node`, `node2` and so on."""
        return self._names[name]

    @staticmethod
    def missing(*, accounting: bool = False) -> str:
        """What to install, or nothing when all is there."""
        return missing_packages(_PROGRAMS) or (PrivateAccounting.missing() if accounting else "")

    def __enter__(self) -> Self:
        if told := self.missing(accounting=self._with_accounting):
            raise SlurmMissing(f"A private Slurm cannot start: {told}.")
        try:
            self._prepare()
            self.start_munge()
            if self.accounting:
                self.accounting.start()
                self._make_accounts()
            self.start_controller()
            self.start_nodes(*self.nodes)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def prelude(self, *first: Path) -> str:
        """`environment` as shell text, for `Site.prelude`."""
        named = self.environment(*first)
        return "".join(f"{name}='{named[name]}'; export {name}\n" for name in ("PATH", "SLURM_CONF"))

    def site(
        self, name: str, scratch: str, *, ssh: str | None = None, first: tuple[Path, ...] = (), **limits: Any
    ) -> SlurmSite:
        return SlurmSite(
            name=name, ssh=ssh, scratch=scratch, limits=Limits(**{"poll": "1s", **limits}), prelude=self.prelude(*first)
        )

    def jobs(self) -> list[Row]:
        """All jobs the controller still knows, ended ones too, by id."""
        text = self.run("squeue", "--noheader", "--states=all", "--sort=i", "--format", f"{self._mark}|%i|%T|%r|%j")
        rows = (line.split("|", 4) for line in text.split("\n"))
        return [Row(*row[1:]) for row in rows if row[0] == self._mark]

    def until(self, holds: Callable[[list[Row]], bool]) -> list[Row]:
        """The jobs as soon as they are as wanted; blocks for at most half a minute."""
        until(lambda: holds(self.jobs()), "the jobs never became as wanted", self.log)
        return self.jobs()

    def stop(self) -> None:
        super().stop()
        if self._memory_limits:
            for node in self.nodes:
                memory_limits.remove(node)

    # how

    def _prepare(self) -> None:
        self.make_folders()
        key = self.folder / "munge.key"
        key.touch(0o600)
        key.write_bytes(secrets.token_bytes(64))
        key.chmod(0o400)
        if self._with_accounting:
            self.accounting = PrivateAccounting(self.folder, self.sockets, self.daemons)
        if self._memory_limits:
            (self.folder / "cgroup.conf").write_text(memory_limits.CONFIGURATION)
        self.configuration.write_text(self._slurm_conf())

    def _slurm_conf(self) -> str:
        controller, *ports = _free_ports(1 + len(self.nodes))
        options = {
            **(slurm_conf.MEMORY_LIMITS if self._memory_limits else {}),
            **(self.accounting.options if self.accounting else {}),
            **({"AccountingStorageEnforce": "associations,limits,qos"} if self.qos else {}),
            **self._options,
        }
        return slurm_conf.render(
            self.folder,
            self.sockets,
            port=controller,
            nodes=[slurm_conf.Node(name, port, self.cpus) for name, port in zip(self.nodes, ports, strict=True)],
            partitions=[line.format(**self._names) for line in self._partitions],
            options=options,
        )

    def _make_accounts(self) -> None:
        """The cluster must be known to its accounting before its controller speaks with it."""
        add = ("sacctmgr", "--immediate", "add")
        self.run(*add, "cluster", "howdah")
        if not self.qos:
            return
        self.run(*add, "account", "science")
        for name, limits in self.qos.items():
            self.run(*add, "qos", name, "set", *limits.split())
        user = pwd.getpwuid(os.getuid()).pw_name
        allowed = f"qos={','.join(('normal', *self.qos))}"
        self.run(*add, "user", user, "account=science", "defaultaccount=science", allowed, "defaultqos=normal")


def _free_ports(count: int) -> list[int]:
    found: dict[int, None] = {}
    while len(found) < count:
        found[free_port()] = None
    return list(found)
