"""A server, sound and bad bundles that are installed, workers in processes of their own, and the program."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from howdah import plugins
from howdah.cli.app import run
from tests.cli.answer import Answer

EXAMPLE = Path(__file__).parents[2] / "examples" / "bundle"
BAD = Path(__file__).parent / "bad"
WITHIN = 120.0
SITES = """
[sites.desk]
kind = "workstation"
scratch = "{folder}/desk"
nice = 7

[sites.hollow]
kind = "hollow"
scratch = "{folder}/hollow"

[sites.wrecked]
kind = "wrecked"
scratch = "{folder}/wrecked"
"""
BROKEN = {
    "howdah-wrecked": {
        "howdah.job_types": {"wrecked": "wrecked:job_type"},
        "howdah.sites": {"wrecked": "wrecked:site_kind"},
    },
    "howdah-hollow": {
        "howdah.job_types": {"hollow": "hollow:job_type"},
        "howdah.sites": {"hollow": "hollow:site_kind"},
    },
    "howdah-deadly": {"howdah.job_types": {"deadly": "reckless:deadly"}},
    "howdah-greedy": {"howdah.job_types": {"greedy": "reckless:greedy"}},
}


def install(folder: Path) -> Path:
    """The example as its users install it, and the others as if they were."""
    source, target = folder / "source", folder / "installed"
    shutil.copytree(EXAMPLE, source)
    install_from(source, target)
    for name, groups in BROKEN.items():
        _describe(target, name, groups)
    return target


def install_from(source: Path, target: Path) -> None:
    """Without the network, and into a folder of its own. What a build leaves behind is left in `source`."""
    offline = ["--no-deps", "--no-index", "--no-build-isolation", "--quiet", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *offline, "--target", str(target), str(source)]
    subprocess.run(command, check=True, capture_output=True)


def _describe(target: Path, name: str, groups: Mapping[str, Mapping[str, str]]) -> None:
    about = target / f"{name.replace('-', '_')}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [line for group, points in groups.items() for line in _lines(group, points)]
    (about / "entry_points.txt").write_text("\n".join(lines))


def _lines(group: str, points: Mapping[str, str]) -> list[str]:
    return [f"[{group}]", *(f"{name} = {where}" for name, where in points.items())]


@contextmanager
def found(target: Path, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process finds the bundles, too."""
    patch.syspath_prepend(str(BAD))
    patch.syspath_prepend(str(target))
    forget()
    yield
    forget()


def forget() -> None:
    plugins._points.cache_clear()
    plugins._all_points.cache_clear()
    plugins._loaded.cache_clear()


@dataclass
class World:
    folder: Path
    capture: Callable[[], tuple[str, str]]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list[subprocess.Popen[bytes]])

    def howdah(self, *arguments: str) -> Answer:
        """The program, here and now."""
        self.capture()
        code = run(arguments)
        out, err = self.capture()
        return Answer(int(code), out, err)

    def shown(self, experiment: str) -> Any:
        return json.loads(self.howdah("show", experiment, "--json").out)

    def started(self, experiment: str, kind: str, command: str, *more: str) -> str:
        """Its id. What it is goes into a file of its own."""
        file = self.folder / f"{experiment}.yaml"
        file.write_text(f"name: {experiment}\ntype: {kind}\ncommand: {command}\n")
        answer = self.howdah("start", str(file), "--id", experiment, *more)
        assert answer.code == 0, answer.err
        return experiment

    def ended(self, *experiments: str) -> None:
        for experiment in experiments:
            answer = self.howdah("watch", experiment)
            assert answer.code == 0, answer.out + answer.err

    def worker(self, *arguments: str) -> subprocess.Popen[bytes]:
        """`howdah worker start`, until it is stopped. What it says is in a log of its own."""
        with self.log(len(self.workers)).open("wb") as opened:
            process = subprocess.Popen([howdah_program(), "worker", "start", *arguments], stderr=opened)
        self.workers.append(process)
        return process

    def all_ready(self) -> None:
        for number, process in enumerate(self.workers):
            until(partial(self._is_ready, number))
            assert process.poll() is None, self.log(number).read_text()

    def _is_ready(self, number: int) -> bool:
        return self.workers[number].poll() is not None or "ready" in self.log(number).read_text()

    def log(self, number: int) -> Path:
        return self.folder / f"worker-{number}.log"

    def stop(self) -> None:
        for process in self.workers:
            process.kill()
            process.wait()


def howdah_program() -> str:
    return str(Path(sys.executable).with_name("howdah"))


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN
    while not true():
        assert time.monotonic() < deadline, "it did not become true"
        time.sleep(0.05)


def variables(folder: Path, target: Path, address: str) -> dict[str, str]:
    marks = folder / "marks"
    marks.mkdir()
    sites = folder / "sites.toml"
    sites.write_text(SITES.format(folder=folder))
    return {
        "PYTHONPATH": os.pathsep.join([str(target), str(BAD), os.environ.get("PYTHONPATH", "")]),
        "HOWDAH_STATE": str(folder / "state"),
        "HOWDAH_SITES": str(sites),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "TEMPORAL_ADDRESS": address,
        "MARKS_OF_RECKLESS": str(marks),
        "NO_COLOR": "1",
    }
