"""`howdah prove` on this machine: as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path

from howdah.cli.commands.proving import NAMES
from howdah.proof.scenarios import SCENARIOS
from howdah.testing.environment import without_settings


def howdah(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    kept = without_settings()
    sites = folder / "sites.toml"
    sites.write_text(f'[sites.here]\nkind = "fork"\nscratch = "{folder}/scratch"\nlimits = {{running = 4}}\n')
    return subprocess.run(
        [sys.executable, "-P", "-m", "howdah", *words],
        env={**kept, "HOWDAH_SITES": str(sites), "HOWDAH_STATE": str(folder / "state"), "TMPDIR": str(folder)},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
    )


def test_the_help_names_the_scenarios_there_are() -> None:
    assert list(NAMES) == list(SCENARIOS)


def test_a_machine_without_a_connection_is_proved_as_far_as_that_goes(tmp_path: Path) -> None:
    asked = ("--scenario", "endings", "--scenario", "outage", "--jobs", "3", "--json", "--yes")
    done = howdah(tmp_path, "prove", "here", *asked)
    assert done.returncode == 0, done
    outage, endings = json.loads(done.stdout)["rows"]
    assert "no connection" in outage["skipped"]
    assert (endings["jobs"], endings["bodies"], endings["second"]) == (3, 3, None)
    assert not (tmp_path / "state").exists()
    assert list((tmp_path / "scratch").iterdir()) == []
    assert list(tmp_path.glob("howdah-prove-*")) == []


def test_what_did_not_leave_its_mark_in_the_ledger_is_lost_and_all_is_kept_to_look_at(tmp_path: Path) -> None:
    asked = ("--scenario", "endings", "--jobs", "1", "--set", "command=date", "--json", "--yes")
    done = howdah(tmp_path, "prove", "here", *asked)
    assert done.returncode == 1, done
    proof = json.loads(done.stdout)
    assert "body of its last attempt did not come to its end" in proof["rows"][0]["lost"][0]
    kept, (site, _, folder) = Path(proof["kept"][0]), proof["kept"][1].partition(":")
    assert (kept / "state" / "howdah.db").exists()
    assert site == "here"
    assert (Path(folder) / "ledger").is_dir()


def test_nothing_is_done_to_a_site_before_somebody_agrees(tmp_path: Path) -> None:
    done = howdah(tmp_path, "prove", "here")
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert "submissions: 20 batch jobs of at most 1 s each" in done.stderr
    assert not (tmp_path / "scratch").exists()


def test_what_would_be_done_can_be_listed(tmp_path: Path) -> None:
    done = howdah(tmp_path, "prove", "here", "--scenario", "storm", "--list")
    assert done.returncode == 0
    assert done.stdout.startswith("storm: 10 batch jobs of at most 3 s each")


def test_a_scenario_or_site_that_there_is_not_is_refused(tmp_path: Path) -> None:
    done = howdah(tmp_path, "prove", "here", "--scenario", "flood", "--list")
    assert done.returncode == 2
    assert "No scenario 'flood'" in done.stderr
    assert howdah(tmp_path, "prove", "nowhere", "--list").returncode == 2


def test_a_site_that_is_not_in_order_is_not_broken_any_further(tmp_path: Path) -> None:
    (tmp_path / "scratch").touch()
    done = howdah(tmp_path, "prove", "here", "--scenario", "endings", "--yes")
    assert done.returncode != 0
    assert "scratch" in done.stderr
    assert list(tmp_path.glob("howdah-prove-*")) == []
