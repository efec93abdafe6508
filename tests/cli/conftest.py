"""A project folder of its own for every test, and the program as a function."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from howdah.cli.app import run
from howdah.testing.temporal import PrivateTemporal
from tests.cli.answer import Answer, Howdah
from tests.cli.stage import Stage, staged

SITES = """
[sites.bigred]
kind = "fork"
scratch = "/nowhere/howdah"
labels = ["hipaa", "gpu"]

[sites.summit]
kind = "slurm"
ssh = "summit.example.org"
labels = ["gpu"]
"""

SPEC = """\
name: pi
site: bigred
command: python3 pi.py
inputs: [pi.py]
outputs: [pi.json]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with sites.toml, an experiment and its input; it is the current one, and nothing else is known."""
    for name in ("TEMPORAL_PROFILE", "TEMPORAL_CONFIG_FILE", "TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "HOWDAH_UI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOWDAH_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOWDAH_SITES", str(tmp_path / "project" / "sites.toml"))
    monkeypatch.setenv("NO_COLOR", "1")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "sites.toml").write_text(SITES)
    (folder / "experiment.yaml").write_text(SPEC)
    (folder / "pi.py").write_text("print(3)\n")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def howdah(project: Path, capsys: pytest.CaptureFixture[str]) -> Howdah:
    """Run a command line here and now."""

    def call(*arguments: str) -> Answer:
        capsys.readouterr()
        code = run(arguments)
        told = capsys.readouterr()
        return Answer(int(code), told.out, told.err)

    return call


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PrivateTemporal]:
    """Of each test's own. Where tests do not mind the experiments of others, their module has one for all."""
    folder = tmp_path / "temporal"
    folder.mkdir()
    with PrivateTemporal(folder) as server:
        yield server


@pytest.fixture
async def stage(
    project: Path, howdah: Howdah, server: PrivateTemporal, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Stage]:
    monkeypatch.setenv("TEMPORAL_ADDRESS", server.address)
    async with staged(project, howdah) as stage:
        yield stage
