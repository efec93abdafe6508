"""A real Slurm of one's own: controller, node daemon and munge on free ports, below a folder of one's own.

    with PrivateSlurm(tmp_path / "slurm") as slurm:
        site = slurm.site("cluster", scratch=str(tmp_path / "scratch"))

Runs as root or as a plain user. As root, jobs of other users run as those users; as a plain user all
jobs must be of that user. Nothing here needs the system's own Slurm to be configured or running.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from howdah.models.sites import Limits, SlurmSite
from howdah.testing.processes import end_all, processes_holding
from howdah.workers.ports import free_port

_PROGRAMS = {"munged": "munge", "slurmctld": "slurm-wlm", "slurmd": "slurm-wlm", "sbatch": "slurm-wlm"}
_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/bin", "/sbin", "/bin"))
_PATIENCE = 30.0

_OPTIONS = {
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


class SlurmMissing(RuntimeError):
    """Programs are not installed; the message names the Debian packages."""


class Row(NamedTuple):
    """A row of `squeue -t all`."""

    native_id: str
    state: str
    reason: str
    name: str


class PrivateSlurm:
    """Partitions: `debug` (default, up to an hour), `short` (up to one minute), `down` (takes jobs, starts none).

    `options` replace lines of slurm.conf, e.g. MinJobAge="2", KillWait="5". `cpus` is what the one node claims to have.
    """

    def __init__(self, folder: Path, *, cpus: int = 64, **options: str) -> None:
        self.folder = folder
        self.cpus = cpus
        self.options = {**_OPTIONS, **options}
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self._mark = secrets.token_hex(8)
        self._sockets = Path()

    @staticmethod
    def missing() -> str:
        """What to install, or nothing when all is there."""
        packages = {package for program, package in _PROGRAMS.items() if not shutil.which(program, path=_PATH)}
        return f"install the Debian packages {' '.join(sorted(packages))}" if packages else ""

    def __enter__(self) -> Self:
        if told := self.missing():
            raise SlurmMissing(f"A private Slurm cannot start: {told}.")
        try:
            self._prepare()
            self._start("munged", *self._munge_arguments())
            _until((self._sockets / "munge.socket").exists, "munged made no socket", self.log)
            self.start_controller()
            self._start("slurmd", "-D", "-N", "node", "-f", str(self.configuration))
            _until(self._node_is_idle, "the node never became idle", self.log)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # what users of it need

    @property
    def configuration(self) -> Path:
        return self.folder / "slurm.conf"

    def environment(self, *first: Path) -> dict[str, str]:
        """For commands that speak with this Slurm. Folders in `first` go before all others in PATH."""
        path = os.pathsep.join((*map(str, first), _PATH))
        return {**os.environ, "PATH": path, "SLURM_CONF": str(self.configuration)}

    def prelude(self, *first: Path) -> str:
        """The same as shell text, for `Site.prelude`."""
        named = self.environment(*first)
        return "".join(f"{name}='{named[name]}'; export {name}\n" for name in ("PATH", "SLURM_CONF"))

    def site(
        self, name: str, scratch: str, *, ssh: str | None = None, first: tuple[Path, ...] = (), **limits: Any
    ) -> SlurmSite:
        return SlurmSite(
            name=name, ssh=ssh, scratch=scratch, limits=Limits(**{"poll": "1s", **limits}), prelude=self.prelude(*first)
        )

    def run(self, *command: str) -> str:
        """Standard output of a Slurm command; raises CalledProcessError."""
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, check=True, timeout=60)
        return done.stdout

    def jobs(self) -> list[Row]:
        """All jobs the controller still knows, ended ones too, by id."""
        text = self.run("squeue", "--noheader", "--states=all", "--sort=i", "--format", f"{self._mark}|%i|%T|%r|%j")
        rows = (line.split("|", 4) for line in text.split("\n"))
        return [Row(*row[1:]) for row in rows if row[0] == self._mark]

    def until(self, holds: Callable[[list[Row]], bool]) -> list[Row]:
        """The jobs as soon as they are as wanted; blocks for at most half a minute."""
        _until(lambda: holds(self.jobs()), "the jobs never became as wanted", self.log)
        return self.jobs()

    def log(self) -> str:
        """The last words of every daemon."""
        files = sorted(self.folder.glob("*.log"))
        return "\n".join(f"{path.name}: {path.read_text(errors='replace')[-2000:]}" for path in files)

    # faults

    def start_controller(self) -> None:
        self._start("slurmctld", "-D", "-f", str(self.configuration))
        _until(self._controller_answers, "slurmctld does not answer", self.log)

    def kill_controller(self) -> None:
        """SIGKILL, as a crash of its machine: what it did not save within the last seconds is forgotten."""
        self._end("slurmctld")

    @property
    def controller_pid(self) -> int:
        return self._daemons["slurmctld"].pid

    def freeze(self, daemon: str = "slurmctld") -> None:
        self._daemons[daemon].send_signal(signal.SIGSTOP)

    def thaw(self, daemon: str = "slurmctld") -> None:
        self._daemons[daemon].send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End everything that was started here, jobs and their step daemons included."""
        for name in ("slurmctld", "slurmd", "munged"):
            self._end(name)
        # Step daemons are nobody's children, but each holds the node daemon's log open.
        end_all(lambda: processes_holding(self.folder))
        if self._sockets.name:
            shutil.rmtree(self._sockets, ignore_errors=True)

    # how

    def _prepare(self) -> None:
        # The path of a socket may have 107 bytes, so it must be short.
        self._sockets = Path(tempfile.mkdtemp(prefix="slurm-"))
        for folder in (self.folder, self.folder / "state", self._sockets):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o755)  # munged refuses what others could write to
        key = self.folder / "munge.key"
        key.touch(0o600)
        key.write_bytes(secrets.token_bytes(64))
        key.chmod(0o400)
        self.configuration.write_text(self._slurm_conf())

    def _slurm_conf(self) -> str:
        host, user = socket.gethostname().partition(".")[0], str(os.getuid())
        controller = free_port()
        node = free_port(other_than=controller)
        options = {
            "ClusterName": "howdah",
            "SlurmctldHost": f"{host}(127.0.0.1)",
            "SlurmctldPort": str(controller),
            "AuthInfo": f"socket={self._sockets}/munge.socket",
            "SlurmUser": user,
            "SlurmdUser": user,
            "SlurmctldPidFile": f"{self.folder}/slurmctld.pid",
            "SlurmdPidFile": f"{self.folder}/slurmd.pid",
            "SlurmdSpoolDir": str(self._sockets),
            "StateSaveLocation": f"{self.folder}/state",
            "SlurmctldLogFile": f"{self.folder}/slurmctld.log",
            "SlurmdLogFile": f"{self.folder}/slurmd.log",
            **self.options,
        }
        lines = [f"{name}={value}" for name, value in options.items()]
        return "\n".join(
            (
                *lines,
                f"NodeName=node NodeHostname={host} NodeAddr=127.0.0.1 Port={node} CPUs={self.cpus} Boards=1"
                f" SocketsPerBoard=1 CoresPerSocket={self.cpus} ThreadsPerCore=1 RealMemory=64000 State=UNKNOWN",
                "PartitionName=debug Nodes=ALL Default=YES MaxTime=60 DefaultTime=10 State=UP",
                "PartitionName=short Nodes=ALL MaxTime=1 State=UP",
                "PartitionName=down Nodes=ALL MaxTime=60 State=DOWN",
                "",
            )
        )

    def _munge_arguments(self) -> tuple[str, ...]:
        # --force: a temporary folder is often below one that others may write to, which munged only warns of then.
        files = {
            "key-file": "munge.key",
            "pid-file": "munged.pid",
            "seed-file": "munged.seed",
        }
        return (
            "--foreground",
            "--force",
            f"--socket={self._sockets}/munge.socket",
            *(f"--{option}={self.folder / file}" for option, file in files.items()),
        )

    def _start(self, program: str, *arguments: str) -> None:
        found = shutil.which(program, path=_PATH) or program
        with (self.folder / f"{program}.out.log").open("ab") as log:
            self._daemons[program] = subprocess.Popen(
                [found, *arguments],
                env=self.environment(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _end(self, program: str) -> None:
        if daemon := self._daemons.pop(program, None):
            daemon.kill()  # wakes a frozen one, too
            daemon.wait()

    def _controller_answers(self) -> bool:
        return self._succeeds("scontrol", "ping")

    def _node_is_idle(self) -> bool:
        return self._succeeds("sinfo", "--noheader", "--partition=debug", "--format=%T", expecting="idle")

    def _succeeds(self, *command: str, expecting: str = "") -> bool:
        try:
            return self.run(*command).strip().startswith(expecting)
        except subprocess.SubprocessError:
            return False


def _until(holds: Callable[[], bool], otherwise: str, log: Callable[[], str]) -> None:
    end = time.monotonic() + _PATIENCE
    while not holds():
        if time.monotonic() > end:
            raise RuntimeError(f"Waited in vain for a private Slurm: {otherwise}.\n{log()}")
        time.sleep(0.05)
