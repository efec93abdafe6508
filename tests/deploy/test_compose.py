"""The compose file: what its specification allows, and what it must never do."""

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from howdah import names
from howdah.steps.batch import CAPABILITIES
from howdah.workers.embedded.server import SETTINGS
from howdah.workers.tuning import TUNING

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
PROGRAMS = Path(sys.executable).parent
CONFIGURATION = ROOT / "deploy" / "compose"


def _compose() -> dict[str, Any]:
    read: dict[str, Any] = YAML(typ="safe").load(FILE.read_text())
    return read


SERVICES: dict[str, dict[str, Any]] = _compose()["services"]
LASTING = [name for name, service in SERVICES.items() if service["restart"] == "unless-stopped"]
every_service = pytest.mark.parametrize("name", SERVICES)


def test_the_files_are_what_the_compose_specification_allows() -> None:
    files = [str(FILE), str(ROOT / "tests" / "deploy" / "compose.local.yaml")]
    command = [str(PROGRAMS / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@every_service
def test_what_a_service_waits_for_is_there_and_can_be_seen(name: str) -> None:
    for needed, how in SERVICES[name].get("depends_on", {}).items():
        if how["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[needed]
        else:
            assert how["condition"] == "service_completed_successfully"
            assert SERVICES[needed]["restart"].startswith("on-failure:")


@every_service
def test_no_container_is_root_or_can_become_it_or_writes_its_own_files(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"] and "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "pid", "ipc", "network_mode", "devices"} & set(service)
    assert "docker.sock" not in str(service)


@every_service
def test_every_container_has_a_limit_and_an_end(name: str) -> None:
    service = SERVICES[name]
    assert service["mem_limit"] and service["logging"]["options"]["max-size"]
    assert service["restart"]


@pytest.mark.parametrize("name", LASTING)
def test_what_lasts_is_looked_after(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"


@every_service
def test_nothing_is_published_beyond_this_machine(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", ()))


@every_service
def test_volumes_have_names_that_are_declared_or_files_that_are_there(name: str) -> None:
    for volume in SERVICES[name].get("volumes", ()):
        source = re.sub(r"\$\{\w+:-(.*?)\}", r"\1", volume).split(":")[0]
        if source.startswith("./"):
            assert (ROOT / source).exists() and volume.endswith(":ro")
        elif not source.startswith("/"):
            assert source in _compose()["volumes"]


def test_every_secret_is_a_file_that_no_repository_holds() -> None:
    used = {secret for service in SERVICES.values() for secret in service.get("secrets", ())}
    declared = _compose()["secrets"]
    assert used == set(declared)
    assert all(told["file"].startswith("./deploy/compose/secrets/") for told in declared.values())
    assert "secrets/*" in (CONFIGURATION / ".gitignore").read_text()
    told = {str(value) for service in SERVICES.values() for value in (service.get("environment") or {}).values()}
    passwords = [key for service in SERVICES.values() for key in service.get("environment") or {} if "PASSWORD" in key]
    assert set(passwords) == {"POSTGRES_PASSWORD_FILE"}
    assert not [value for value in told if "PASSWORD" in value or "PWD" in value]


def test_every_variable_has_a_default_and_is_documented() -> None:
    text = FILE.read_text()
    assert not re.findall(r"\$\{(\w+)\}|\$(\w+)", text)
    documented = (ROOT / "docs" / "production.md").read_text()
    assert {name for name in re.findall(r"\$\{(\w+):-", text) if f"`{name}`" not in documented} == set()


def test_only_what_makes_our_image_may_have_to_get_it() -> None:
    """Nobody offers it: who asked a registry for it would be refused, or be given somebody else's."""
    ours = [service for service in SERVICES.values() if service["image"].startswith("howdah:")]
    assert len([service for service in ours if "build" in service]) == 1
    assert all("build" in service or service["pull_policy"] == "never" for service in ours)


def test_nothing_is_mounted_over_what_an_official_image_has_there() -> None:
    """A server and a Web UI that are configured by templates in their images, and do not write them anew."""
    configured = {"temporal": "/etc/temporal/config", "ui": "/home/ui-server"}
    for name, folder in configured.items():
        over = [*SERVICES[name]["tmpfs"], *SERVICES[name].get("volumes", ())]
        assert not [mounted for mounted in over if folder in mounted]


def test_images_are_named_with_a_version() -> None:
    for service in SERVICES.values():
        tag = re.sub(r"\$\{\w+:-(.*?)\}", r"\1", service["image"]).rpartition(":")[2]
        assert tag and tag != "latest"


def test_the_server_is_of_the_release_that_the_tests_run_on() -> None:
    """The development server that comes with howdah says so itself."""
    program = PROGRAMS / "temporal"
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"Server ([\d.]+), UI ([\d.]+)", told)
    assert found
    assert f"TEMPORAL_VERSION:-{found[1]}}}" in SERVICES["temporal"]["image"]
    assert f"TEMPORAL_UI_VERSION:-{found[2]}}}" in SERVICES["ui"]["image"]


def test_workers_are_given_longer_to_end_than_they_take() -> None:
    longest = max(tuning.grace.total_seconds() for tuning in TUNING.values())
    workers = [one for one in SERVICES.values() if "howdah.workers.health" in str(one.get("healthcheck"))]
    assert workers
    assert all(int(service["stop_grace_period"].rstrip("s")) >= 2 * longest for service in workers)


def test_the_workers_of_a_site_serve_all_it_needs() -> None:
    words = [*SERVICES["site"]["command"], *SERVICES["site-staging"]["command"]]
    served = [word for before, word in pairwise(words) if before == "--capability"]
    assert sorted(served) == sorted(CAPABILITIES)


def test_the_search_attributes_are_the_ones_we_use() -> None:
    found = re.search(r"for name in (.*); do", (CONFIGURATION / "namespace.sh").read_text())
    assert found
    assert tuple(found[1].split()) == names.SEARCH_ATTRIBUTES


def test_the_server_has_the_settings_that_the_embedded_one_has() -> None:
    told = YAML(typ="safe").load((CONFIGURATION / "dynamicconfig.yaml").read_text())
    ours = {key: str(values[0]["value"]).lower() for key, values in told.items()}
    assert {setting.partition("=")[::2] for setting in SETTINGS} <= set(ours.items())


def test_the_server_knows_every_key_of_its_dynamic_configuration() -> None:
    """One it does not know is a line in its log, and nothing else."""
    told = YAML(typ="safe").load((CONFIGURATION / "dynamicconfig.yaml").read_text())
    program = (PROGRAMS / "temporal").read_bytes()
    assert [key for key in told if key.encode() not in program] == []


@pytest.mark.parametrize("script", sorted(CONFIGURATION.glob("*.sh")), ids=lambda path: path.name)
def test_scripts_are_for_the_plainest_shell(script: Path) -> None:
    assert script.read_text().startswith("#!/bin/sh\n")
    subprocess.run(["/bin/dash", "-n", script], check=True)


def test_an_image_holds_no_secret_and_runs_as_nobody_in_particular() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^USER \d+:\d+$", text, re.MULTILINE)
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*"
    assert not re.search(r"ARG .*(TOKEN|PASSWORD|SECRET)|ENV .*(TOKEN|PASSWORD|SECRET)", text)
