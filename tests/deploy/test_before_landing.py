"""What runs before anything lands: never silent about what it left out, and failing for our own faults only."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "run"


class Machine:
    """A copy of the script among programs that only write down that they were called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.called = folder / "called"
        self.called.touch()
        self.programs = folder / "bin"
        (folder / "tests" / "deploy").mkdir(parents=True)
        (folder / ".ci").mkdir()
        self.programs.mkdir()
        shutil.copy(SCRIPT, folder / ".ci" / "run")
        self.program("python3.11", f'exec {sys.executable} "$@"')
        self.program("dpkg", "")
        self.program("apt-get", f'echo "apt-get $*" >> {self.called}')
        self.program("make", f'echo "make $1" >> {self.called}')
        self.engine_says("")

    def program(self, name: str, does: str) -> None:
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{does}\n")
        path.chmod(0o755)

    def engine_says(self, obstacle: str, code: int = 0) -> None:
        text = f"import sys\nsys.stdout.write({obstacle!r})\nsys.exit({code})\n"
        (self.folder / "tests" / "deploy" / "can_run.py").write_text(text)

    def run(self) -> "subprocess.CompletedProcess[str]":
        path = f"{self.programs}:/usr/bin:/bin"
        command = [str(self.folder / ".ci" / "run")]
        return subprocess.run(command, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False)

    def made(self) -> list[str]:
        return [line.removeprefix("make ") for line in self.called.read_text().splitlines() if line.startswith("make ")]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_where_containers_run_the_stack_is_brought_up(machine: Machine) -> None:
    done = machine.run()
    assert done.returncode == 0, done.stderr
    assert machine.made() == ["test", "test-slow", "test-stack"]
    assert "NOT RUN" not in done.stdout


def test_a_stack_that_does_not_come_up_is_a_failed_run(machine: Machine) -> None:
    machine.program("make", '[ "$1" != test-stack ]')
    assert machine.run().returncode != 0


def test_a_machine_that_runs_no_container_is_told_of_and_is_not_a_failed_run(machine: Machine) -> None:
    machine.engine_says("dockerd did not start", code=3)
    done = machine.run()
    assert done.returncode == 0 and machine.made() == ["test", "test-slow"]
    assert done.stdout.endswith("machine runs no container.\ndockerd did not start\n")


def test_an_engine_that_cannot_be_installed_is_told_of_and_is_not_a_failed_run(machine: Machine) -> None:
    machine.program("dpkg", 'case "$*" in *docker*) exit 1;; esac')
    machine.program("apt-get", 'case "$*" in *docker*) exit 100;; esac')
    done = machine.run()
    assert done.returncode == 0 and machine.made() == ["test", "test-slow"]
    assert "NOT RUN" in done.stdout and "docker.io" in done.stdout


def test_a_question_to_the_engine_that_breaks_is_a_failed_run(machine: Machine) -> None:
    """Else a mistake in the question would leave the stack out for ever."""
    machine.engine_says("", code=1)
    assert machine.run().returncode == 1


def test_without_what_all_other_tests_need_nothing_is_run(machine: Machine) -> None:
    machine.program("dpkg", "exit 1")
    machine.program("apt-get", '[ "$1" = update ]')
    assert machine.run().returncode != 0
    assert machine.made() == []
