"""docs/bundles.md from an empty folder to the bundle running: it shows the example, and its commands are typed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bundles.world import EXAMPLE, howdah_program, install_from, variables

PAGE = (Path(__file__).parents[2] / "docs" / "bundles.md").read_text()
FILES = dict(re.findall(r"^`(\S+)`:\n\n```\w+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
(COMMANDS,) = re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_files_of_the_page_are_those_of_the_example() -> None:
    shown = {"pyproject.toml", "pi.py", "experiment.yaml", *(f"howdah_converge/{path.name}" for path in _modules())}
    assert FILES.keys() == shown
    for name, text in FILES.items():
        assert text == (EXAMPLE / name).read_text(), name


def _modules() -> list[Path]:
    return list((EXAMPLE / "howdah_converge").glob("*.py"))


@pytest.mark.slow
def test_its_commands_end_with_the_bundle_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project, target = tmp_path / "project", tmp_path / "installed"
    for name, text in FILES.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    for name, value in variables(tmp_path, target, address="").items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("TEMPORAL_ADDRESS")
    monkeypatch.setenv("HOWDAH_SITES", str(tmp_path / "none.toml"))
    (tmp_path / "none.toml").touch()
    install, *commands = [line.removeprefix("$ ") for line in COMMANDS.splitlines()]
    assert install == "pip install ."
    install_from(project, target)  # into a folder of its own: this environment is not ours to change
    assert commands[-1] == "howdah down"
    try:
        told = {command: _typed(command, project) for command in commands[:-1]}
    finally:
        _typed(commands[-1], project)
    assert "converge" in told["howdah type list"]
    assert told["howdah show pi-1"].count("converge.judge") == 1
    assert "attempt 3 at local: succeeded" in told["howdah show pi-1"]


def _typed(command: str, folder: Path) -> str:
    program, *words = command.split()
    assert program == "howdah"
    done = subprocess.run([howdah_program(), *words], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def test_the_tests_of_the_example_pass(
    installed_bundles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but its scheduler's contract, which takes a while: `make bundle`."""
    monkeypatch.setenv("PYTHONPATH", str(installed_bundles))
    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        "-c",
        str(EXAMPLE / "pyproject.toml"),
        f"--basetemp={tmp_path / 'of-it'}",
    ]
    tests = [sys.executable, "-m", "pytest", *options, str(EXAMPLE / "tests" / "test_rounds.py")]
    done = subprocess.run(tests, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
