"""The house itself: links, layers of names, and documents that say what is."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from howdah.models.causes import FailureCause
from howdah.models.sites import ForkSite, Limits, Site, SlurmSite
from howdah.models.spec import ExperimentSpec
from howdah.models.states import JobState

ROOT = Path(__file__).parents[1]
DOCUMENTS = "\n".join(path.read_text() for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("name", ["workflows", "activities", "workers", "cli"])
def test_the_import_name_leads_to_the_folders_at_the_root(name: str) -> None:
    link = ROOT / "src" / "howdah" / name
    assert link.is_symlink()
    assert str(link.readlink()) == f"../../{name}"
    assert (ROOT / name).is_dir()


def test_the_experiment_in_the_readme_is_a_valid_one() -> None:
    found = re.search(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert found
    ExperimentSpec.model_validate(YAML(typ="safe").load(found[1]))


def test_the_site_in_the_readme_is_a_valid_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from howdah.config import load_sites

    line = next(line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("printf"))
    subprocess.run(["/bin/sh", "-c", line], cwd=tmp_path, check=True)
    monkeypatch.delenv("HOWDAH_SITES", raising=False)
    assert load_sites(tmp_path)["bigred"].ssh == "bigred"


def test_the_commands_in_the_readme_are_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", (ROOT / "README.md").read_text(), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


@pytest.mark.parametrize(
    "name", sorted({*Site.model_fields, *SlurmSite.model_fields, *ForkSite.model_fields} - {"name"})
)
def test_every_key_of_a_site_is_documented(name: str) -> None:
    assert f"`{name}`" in DOCUMENTS


@pytest.mark.parametrize("name", Limits.model_fields)
def test_every_limit_is_documented(name: str) -> None:
    assert f"| `{name}` |" in DOCUMENTS


@pytest.mark.parametrize("name", ExperimentSpec.model_fields)
def test_every_key_of_an_experiment_is_documented(name: str) -> None:
    assert f"`{name}`" in DOCUMENTS


@pytest.mark.parametrize("word", [*FailureCause, *(state for state in JobState if state is not JobState.CREATED)])
def test_every_cause_and_state_is_documented(word: str) -> None:
    assert word in (ROOT / "docs" / "states.md").read_text()


def test_every_variable_we_read_is_documented() -> None:
    code = [
        path.read_text()
        for name in ("cli", "workers", "activities", "src/howdah")
        for path in (ROOT / name).rglob("*.py")
    ]
    read = set(re.findall(r"environ(?:\.get\(|\[)\"(HOWDAH_[A-Z_]+)\"", "\n".join(code)))
    assert {name for name in read if name not in DOCUMENTS} == set()


def test_drivers_are_named_not_imported() -> None:
    """Asking what is installed must not cost the import of an SSH library, or of Temporal."""
    code = "import sys, howdah.config, howdah.builtin; howdah.config.load_sites(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"asyncssh", "httpx", "obstore", "temporalio"} & set(done.stdout.split())
