"""The daemons of a private Slurm, and what may happen to them: killed, frozen, crashed with their machine, mended."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from howdah.testing.accounting import PrivateAccounting
from howdah.testing.daemons import PATH, Daemons, until
from howdah.testing.processes import end_all, processes_holding


class SlurmDaemons:
    """Names for `freeze` and `thaw`: slurmctld, slurmdbd, munged, mariadbd, and slurmd-NODE for each of `nodes`."""

    accounting: PrivateAccounting | None = None

    def __init__(self, folder: Path, nodes: Sequence[str]) -> None:
        self.folder = folder
        self.nodes = tuple(nodes)
        self.daemons = Daemons(folder)
        self.sockets = Path()
        """Below a short path, for that of a socket may have 107 bytes."""

    @property
    def configuration(self) -> Path:
        return self.folder / "slurm.conf"

    def environment(self, *first: Path) -> dict[str, str]:
        """For commands that speak with this Slurm. Folders in `first` go before all others in PATH."""
        path = os.pathsep.join((*map(str, first), PATH))
        return {**os.environ, "PATH": path, "SLURM_CONF": str(self.configuration)}

    def run(self, *command: str) -> str:
        """Standard output of a Slurm command; raises CalledProcessError."""
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, check=True, timeout=60)
        return done.stdout

    def log(self) -> str:
        """The last words of every daemon."""
        files = sorted(self.folder.glob("*.log"))
        return "\n".join(f"{path.name}: {path.read_text(errors='replace')[-2000:]}" for path in files)

    # started and stopped

    def make_folders(self) -> None:
        self.sockets = Path(tempfile.mkdtemp(prefix="slurm-"))
        spools = [self.sockets / node for node in self.nodes]
        for folder in (self.folder, self.folder / "state", self.sockets, *spools):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o755)  # munged refuses what others could write to

    def start_munge(self) -> None:
        # --force: a temporary folder is often below one that others may write to, which munged only warns of then.
        files = {"key-file": "munge.key", "pid-file": "munged.pid", "seed-file": "munged.seed"}
        places = (f"--{option}={self.folder / file}" for option, file in files.items())
        socket = self.sockets / "munge.socket"
        self._start("munged", "munged", "--foreground", "--force", f"--socket={socket}", *places)
        until(socket.exists, "munged made no socket", self.log)

    def start_controller(self) -> None:
        self._start("slurmctld", "slurmctld", "-D", "-f", str(self.configuration))
        until(self._controller_answers, "slurmctld does not answer", self.log)

    def start_nodes(self, *nodes: str) -> None:
        """Returns when they are idle."""
        for node in nodes:
            self._start_node(node)
        for node in nodes:
            self._until_up(node)

    def stop(self) -> None:
        """End everything that was started here, jobs and their step daemons included."""
        self.daemons.kill_all()
        # Step daemons are nobody's children, but each holds the node daemon's log open.
        end_all(lambda: processes_holding(self.folder))
        if self.sockets.name:
            shutil.rmtree(self.sockets, ignore_errors=True)

    # faults

    @property
    def controller_pid(self) -> int:
        return self.daemons.pid("slurmctld")

    def kill_controller(self) -> None:
        """SIGKILL, as a crash of its machine: what it did not save within the last seconds is forgotten."""
        self.daemons.kill("slurmctld")

    def freeze(self, daemon: str = "slurmctld") -> None:
        self.daemons.freeze(daemon)

    def thaw(self, daemon: str = "slurmctld") -> None:
        self.daemons.thaw(daemon)

    def stop_accounting(self) -> None:
        """slurmdbd is gone: who asks it is refused at once. A frozen one keeps everybody waiting instead."""
        self._accounting().stop()

    def start_accounting(self) -> None:
        self._accounting().start()

    def crash_node(self, node: str) -> None:
        """The machine dies with everything on it, jobs too. The controller has yet to notice, or to be told."""
        self.daemons.kill(f"slurmd-{node}")
        end_all(lambda: processes_holding(self.folder / f"slurmd-{node}.log"))

    def call_down(self, node: str) -> None:
        """Its jobs have failed, says the controller; if the node still hears, it ends them."""
        self.run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=fault")

    def mend_node(self, node: str) -> None:
        """After `crash_node`, `call_down`, or a failed prolog. Returns when it takes jobs again."""
        if not self.daemons.is_running(f"slurmd-{node}"):
            self._start_node(node)
        with suppress(subprocess.CalledProcessError):  # one that has said itself that it is up cannot be resumed
            self.run("scontrol", "update", f"NodeName={node}", "State=RESUME")
        self._until_up(node)

    # how

    def _accounting(self) -> PrivateAccounting:
        if self.accounting is None:
            raise RuntimeError("This Slurm has no accounting: PrivateSlurm(folder, accounting=True).")
        return self.accounting

    def _start_node(self, node: str) -> None:
        self._start(f"slurmd-{node}", "slurmd", "-D", "-N", node, "-f", str(self.configuration))

    def _until_up(self, node: str) -> None:
        asked = ("sinfo", "--noheader", f"--nodes={node}", "--format=%T")
        wanted = ("idle", "mixed", "allocated")
        until(lambda: self._succeeds(*asked, expecting=wanted), f"{node} never came up", self.log)

    def _start(self, name: str, *command: str) -> None:
        self.daemons.start(name, *command, environment=self.environment())

    def _controller_answers(self) -> bool:
        return self._succeeds("scontrol", "ping")

    def _succeeds(self, *command: str, expecting: str | tuple[str, ...] = "") -> bool:
        try:
            return self.run(*command).strip().startswith(expecting)
        except subprocess.SubprocessError:
            return False
