"""The first ten minutes of a user: nothing configured, nothing running, this machine."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SPEC = """\
name: sum
command: |
  sum=0; for n in $(cat numbers.txt); do sum=$((sum + n)); done
  echo "adding up"; echo "no warnings" >&2
  echo $sum > sum.txt
inputs: [numbers.txt]
outputs: [sum.txt]
"""


class Program:
    """`howdah`, as its entry point runs it."""

    def __call__(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-c", "from howdah.cli.app import main; main()", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def program(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Program]:
    monkeypatch.delenv("HOWDAH_SITES")
    (project / "sites.toml").unlink()
    (project / "experiment.yaml").write_text(SPEC)
    (project / "numbers.txt").write_text("1 2 39\n")
    program = Program()
    yield program
    program("down")


def test_the_first_experiment_needs_no_configuration_and_survives_down_and_up(program: Program, project: Path) -> None:
    started = program("start", "experiment.yaml", "--watch")
    assert started.returncode == 0, started
    assert "brought up the embedded server" in started.stderr

    shown = json.loads(program("show", "last", "--json").stdout)
    assert (shown["state"], shown["site"]) == ("succeeded", "local")
    results = project / "results" / shown["id"]
    assert shown["results"] == str(results)
    assert (results / "sum.txt").read_text() == "42\n"
    assert {file["path"] for file in shown["outputs"]} >= {"sum.txt"}
    assert all(step["worker"] for attempt in shown["attempts"] for step in attempt["steps"])
    assert program("logs", "last").stdout == "adding up\n"
    assert program("logs", "last", "--stderr").stdout == "no warnings\n"
    assert program("fetch", "last", "--to", "copies").returncode == 0
    assert (project / "copies" / "sum.txt").read_text() == "42\n"
    assert program("site", "check", "local").returncode == 0
    assert json.loads(program("site", "cache", "show", "local", "--json").stdout)["objects"] == 0
    cleaned = program("site", "cache", "clean", "local", "--older-than", "7d")
    assert cleaned.stdout == "0 removed, 0 B freed; 0 inputs are left, 0 B\n", cleaned

    assert program("down").returncode == 0
    assert program("show", shown["id"]).returncode == 3
    assert program("up", "--detach").returncode == 0
    assert json.loads(program("show", shown["id"], "--json").stdout) == shown

    doctor = program("doctor", "--json")
    assert doctor.returncode == 0, doctor.stdout
    exposure = next(finding for finding in json.loads(doctor.stdout) if finding["name"] == "exposure")
    assert exposure["warning"] and "asks nobody for a password" in exposure["found"]


def test_a_program_that_fails_says_why_and_runs_again_with_a_change(program: Program, project: Path) -> None:
    failing = ("start", "experiment.yaml", "--set", "command=echo 'no such number' >&2; exit $CODE", "--json")
    failed = program(*failing, "--set", "environment.variables.CODE=3", "--watch")
    assert failed.returncode == 1, failed
    shown = json.loads(program("show", "last", "--json").stdout)
    assert (shown["state"], shown["failure"]["cause"], shown["attempts"][0]["exit_code"]) == (
        "failed",
        "program_exit",
        3,
    )
    assert "no such number" in program("show", "last").stdout
    assert program("logs", "last", "--stderr").stdout == "no such number\n"

    assert program("retry", "last", "--set", "command=echo 7 > sum.txt").returncode == 0
    assert program("watch", "last").returncode == 0
    assert (project / "results" / shown["id"] / "sum.txt").read_text() == "7\n"


def test_a_running_job_is_followed_explained_and_cancelled(program: Program) -> None:
    held = "command=echo begun; while :; do sleep 1; done"
    experiment = program("start", "experiment.yaml", "--set", held).stdout.strip()
    following = subprocess.Popen(
        [sys.executable, "-c", "from howdah.cli.app import main; main()", "logs", "-f", experiment, "--json"],
        stdout=subprocess.PIPE,
        text=True,
    )
    with following:
        assert following.stdout is not None
        first = following.stdout.readline()
        assert json.loads(first)["text"] == "begun\n"
        script = program("script", experiment).stdout
        assert json.loads(program("show", experiment, "--json").stdout)["attempts"][0]["key"] in script
        assert program("explain", experiment).stdout.startswith(f"{experiment} is ")
        cancelled = program("cancel", experiment, "--reason", "enough")
        assert cancelled.returncode == 0, cancelled
        assert "cancelled  its batch job is gone" in cancelled.stdout
        assert following.wait(60) == 0
