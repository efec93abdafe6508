"""The systemd units: what systemd takes, and enough time to end."""

import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest

from howdah.workers.tuning import TUNING

FOLDER = Path(__file__).parents[2] / "deploy" / "systemd"
UNITS = sorted(FOLDER.glob("*.service"))


def settings(unit: Path) -> ConfigParser:
    read = ConfigParser(strict=False, interpolation=None)
    read.optionxform = str  # type: ignore[assignment,method-assign]  # names are as they are written
    read.read_string(unit.read_text())
    return read


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_understands_every_line(unit: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs apt install systemd: systemd-analyze")
    written = tmp_path / unit.name.replace("@", "@bigred")
    written.write_text(unit.read_text())
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", written], capture_output=True, text=True, check=False
    )
    complaints = [line for line in done.stderr.splitlines() if unit.stem.rstrip("@") in line]
    assert [line for line in complaints if "is not executable" not in line] == []


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_worker_is_started_again_and_has_time_to_end(unit: Path) -> None:
    service = settings(unit)["Service"]
    longest = max(tuning.grace.total_seconds() for tuning in TUNING.values())
    assert service["Restart"] == "always"
    assert int(service["TimeoutStopSec"]) >= 2 * longest
    assert service["MemoryMax"] and service["EnvironmentFile"] and service["NoNewPrivileges"] == "yes"


def test_the_example_of_an_environment_names_no_key() -> None:
    names = [line.partition("=")[0] for line in (FOLDER / "howdah.env.example").read_text().splitlines()]
    assert "TEMPORAL_API_KEY" not in names and "TEMPORAL_ADDRESS" in names
