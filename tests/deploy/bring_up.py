"""The whole stack, really brought up: `make test-stack`. Not collected with the other tests, for it takes minutes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ALL_MUST_RUN
from tests.deploy.engine import PrivateDocker, missing
from tests.deploy.making import make_all
from tests.deploy.stack import ONCE, RUNNING, Stack

EXPERIMENT = """\
name: answer
command: sh it.sh
inputs:
  - {{text: "echo once >> {data}/bodies; until [ -e {data}/go ]; do sleep 0.1; done; echo 42 > answer", to: it.sh}}
outputs: [answer]
resources: {{walltime: 10m}}
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    if told := missing():
        (pytest.fail if ALL_MUST_RUN else pytest.skip)(told)
    folder = tmp_path_factory.mktemp("engine")
    with PrivateDocker(folder) as docker:
        make_all(docker, folder)
        with Stack(docker, folder) as stack:
            stack.up()
            yield stack


@pytest.mark.parametrize("service", RUNNING)
def test_no_container_has_more_than_it_needs(stack: Stack, service: str) -> None:
    told = stack.inspect(service)
    host = told["HostConfig"]
    assert told["Config"]["User"] not in ("", "0", "root")
    assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and host["Memory"] > 0
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    published = [binding for bindings in host["PortBindings"].values() for binding in bindings or []]
    assert {binding["HostIp"] for binding in published} <= {"127.0.0.1"}


@pytest.mark.parametrize("service", RUNNING + ONCE)
def test_no_password_is_in_what_the_engine_shows_and_in_what_containers_say(stack: Stack, service: str) -> None:
    assert stack.password not in str(stack.inspect(service))
    assert stack.password not in stack.compose("logs", "--no-color", service)


def test_an_experiment_survives_the_death_of_everything_that_keeps_it(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "experiment.yaml").write_text(EXPERIMENT.format(data=stack.data))
    experiment = stack.json("start", "experiment.yaml", folder=tmp_path)["id"]
    stack.until(lambda: (stack.data / "bodies").exists())
    stack.kill("postgresql", "temporal", "workflows")
    stack.until_healthy()
    (stack.data / "go").touch()
    watched = stack.howdah("watch", experiment, folder=tmp_path)
    assert watched.returncode == 0, watched.stdout + watched.stderr
    assert (stack.data / "bodies").read_text() == "once\n"
    assert (stack.data / "results" / experiment / "answer").read_text() == "42\n"


def test_what_is_set_up_once_may_be_set_up_again(stack: Stack) -> None:
    """As every `up` does after an upgrade; the databases keep what they hold."""
    for service in ONCE:
        stack.compose("run", "--rm", "--no-deps", service)


def test_doctor_finds_nothing_red_in_the_stack(stack: Stack, tmp_path: Path) -> None:
    findings = stack.json("doctor", folder=tmp_path)
    assert [finding for finding in findings if not finding["ok"]] == []
