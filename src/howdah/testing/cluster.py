"""A whole world of one's own: a Slurm behind an sshd, sites that lead there, and howdah's state in a folder beside.

    with PrivateCluster(tmp_path) as cluster:
        done = cluster.howdah("start", "experiment.yaml", "--site", "cluster", "--watch")

Sites: `cluster` (Slurm through SSH), `vm` (a plain machine through SSH), `local`.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self

from howdah.testing.clocks import wrong_clocks
from howdah.testing.environment import without_settings
from howdah.testing.slurm import PrivateSlurm
from howdah.testing.small_disk import SmallDisk
from howdah.testing.sshd import PrivateSshd

_SHIM = """#!/bin/sh
PATH=${{PATH#*:}}
wait_here() {{
  touch {held.reached}
  until [ -e {held.released} ]; do sleep 0.05; done
}}
case " $* " in *"{word}"*) ;; *) exec {program} "$@" ;; esac
[ {when} = before ] && wait_here && exec {program} "$@"
out=$({program} "$@")
code=$?
wait_here
printf '%s\\n' "$out"
exit $code
"""


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Held(NamedTuple):
    """A program at the site that waits. The file `reached` is there when it does, `released` lets it go on."""

    reached: Path
    released: Path


class PrivateCluster:
    """`options` are those of PrivateSlurm: `accounting=True`, `nodes=2`, or lines of slurm.conf such as MinJobAge="2".

    `scratch_size` in bytes makes the scratch a small disk of its own, for which one must be root. `login_clock` and
    `node_clock` are the seconds by which clocks are ahead, as far as shell scripts see them.
    """

    def __init__(
        self,
        folder: Path,
        *,
        scratch_size: int | None = None,
        login_clock: int = 0,
        node_clock: int = 0,
        **options: Any,
    ) -> None:
        self.folder = folder
        self.scratch = folder / "scratch"
        self.state = folder / "state"
        self.sites = folder / "sites.toml"
        self.shims = folder / "shims"
        """Programs in here go before all others on the site `cluster`; see `hold`."""
        self.slurm = PrivateSlurm(folder / "slurm", **options)
        self.sshd = PrivateSshd(folder / "sshd")
        self.disk = SmallDisk(self.scratch, scratch_size) if scratch_size else None
        self._clocks = (login_clock, node_clock)
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        self.shims.mkdir(parents=True, exist_ok=True)
        if any(self._clocks):
            login, node = self._clocks
            wrong_clocks(self.shims, login=login, node=node)
        with ExitStack() as undo:
            if self.disk:
                undo.enter_context(self.disk)
            undo.enter_context(self.slurm)
            undo.callback(self.sshd.stop)
            self.sshd.start()
            self.sites.write_text(self._sites())
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._undo:
            self.howdah("down", within=120)

    def _sites(self) -> str:
        way = f'ssh = "{self.sshd.alias}"\nssh_config = "{self.sshd.ssh_config}"\n'
        return f"""
[sites.cluster]
kind = "slurm"
description = "Slurm behind SSH"
scratch = "{self.scratch}/cluster"
limits = {{poll = "1s", grace = "5s"}}
{way}prelude = '''
{self.slurm.prelude(self.shims)}'''

[sites.vm]
kind = "fork"
description = "a plain machine behind SSH"
scratch = "{self.scratch}/vm"
limits = {{running = 4}}
{way}"""

    @contextmanager
    def hold(self, program: str, *, when: Literal["before", "after"], word: str = "") -> Iterator[Held]:
        """Make `program` wait on the site `cluster`, before it does its work or before it tells how that went.

        With `word` only calls that have it among their arguments wait.
        """
        folder = Path(tempfile.mkdtemp(dir=self.folder, prefix=f"held-{program}-"))
        held = Held(folder / "reached", folder / "released")
        shim = self.shims / program
        shim.write_text(_SHIM.format(program=program, word=word, when=when, held=held))
        shim.chmod(0o755)
        try:
            yield held
        finally:
            shim.unlink()
            held.released.touch()  # whoever still waits must end

    def environment(self) -> dict[str, str]:
        """Of commands that live in this world. Nothing of the user's own is touched."""
        kept = without_settings()
        return {
            **kept,
            "HOWDAH_STATE": str(self.state),
            "HOWDAH_SITES": str(self.sites),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
        }

    def howdah(self, *words: str, within: float = 90, cwd: Path | None = None, **environment: str) -> Done:
        """Run the program and wait for it, `within` seconds at most."""
        done = subprocess.run(
            [sys.executable, "-P", "-m", "howdah", *words],
            env={**self.environment(), **environment},
            cwd=cwd or self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=within,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def start_program(self, *words: str, cwd: Path | None = None) -> subprocess.Popen[str]:
        """Start the program and do not wait for it. Its output is a pipe."""
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "howdah", *words],
            env=self.environment(),
            cwd=cwd or self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
