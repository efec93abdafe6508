"""What is said of versions, and which of them is chosen."""

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.deployment.v1 import RoutingConfig
from temporalio.api.enums.v1 import WorkerDeploymentVersionStatus
from temporalio.api.taskqueue.v1 import PollerInfo
from temporalio.service import RPCError, RPCStatusCode

from howdah.errors import ServerRefuses
from howdah.models.versions import Misfit, Replayed, SelfTested, Version, VersionStatus, release_of
from howdah.workers.versioning.deployments import before_current, is_of, newest_of, status_of
from howdah.workers.versioning.refusals import refusals_told
from howdah.workers.versioning.replaying import in_words

NOW = datetime(2026, 11, 22, tzinfo=UTC)
SAID = WorkerDeploymentVersionStatus


def version(build: str, status: VersionStatus, *, current_ago: int | None = None, **told: object) -> Version:
    last = None if current_ago is None else NOW - timedelta(minutes=current_ago)
    return Version.model_validate(
        {"deployment": "howdah", "build": build, "release": "1", "status": status, "last_current": last, **told}
    )


@pytest.mark.parametrize(
    ("build", "said", "expected"),
    [
        ("a", SAID.WORKER_DEPLOYMENT_VERSION_STATUS_INACTIVE, VersionStatus.CURRENT),
        ("b", SAID.WORKER_DEPLOYMENT_VERSION_STATUS_INACTIVE, VersionStatus.RAMPING),
        ("c", SAID.WORKER_DEPLOYMENT_VERSION_STATUS_CURRENT, VersionStatus.DRAINING),
        ("c", SAID.WORKER_DEPLOYMENT_VERSION_STATUS_DRAINED, VersionStatus.DRAINED),
        ("c", SAID.WORKER_DEPLOYMENT_VERSION_STATUS_CREATED, VersionStatus.INACTIVE),
    ],
)
def test_where_new_experiments_begin_decides_what_is_current(
    build: str, said: SAID.ValueType, expected: VersionStatus
) -> None:
    routing = RoutingConfig()
    routing.current_deployment_version.build_id = "a"
    routing.ramping_deployment_version.build_id = "b"
    assert status_of(build, said, routing) is expected


def test_only_a_newer_version_than_the_current_one_is_promoted_unasked() -> None:
    current, old = version("b", VersionStatus.CURRENT), version("a", VersionStatus.DRAINING, workers=("w",))
    new = version("c", VersionStatus.INACTIVE)
    assert newest_of([current, old]) is None
    assert newest_of([new, current, old]) == new
    assert newest_of([]) is None


def test_what_was_current_last_is_gone_back_to() -> None:
    current = version("d", VersionStatus.CURRENT)
    never = version("c", VersionStatus.DRAINING)
    longer, last = (version(name, VersionStatus.DRAINED, current_ago=ago) for name, ago in (("a", 9), ("b", 3)))
    assert before_current([current, never, last, longer]) == last
    assert before_current([current, never]) is None


def test_experiments_that_nobody_serves_are_told_from_those_of_desks() -> None:
    assert version("a", VersionStatus.DRAINING, experiments=1).is_deserted
    assert not version("a", VersionStatus.DRAINING, experiments=1, workers=("w",)).is_deserted
    assert not version("a", VersionStatus.DRAINING, running={"site_desk": 1}).is_deserted


def test_a_poller_is_of_the_version_that_it_tells() -> None:
    poller = PollerInfo()
    poller.deployment_options.deployment_name, poller.deployment_options.build_id = "howdah", "a"
    assert is_of(poller, "howdah", "a")
    assert not is_of(poller, "howdah", "b")
    assert not is_of(PollerInfo(), "howdah", "a")


@pytest.mark.parametrize(
    ("status", "said", "expected"),
    [
        (RPCStatusCode.UNIMPLEMENTED, "unknown method", "knows no versions"),
        (RPCStatusCode.PERMISSION_DENIED, "no", "forbids it"),
        (RPCStatusCode.FAILED_PRECONDITION, "Manager identity 'ci' is set", "Somebody else manages"),
        (RPCStatusCode.FAILED_PRECONDITION, "it has active pollers", "it has active pollers"),
    ],
)
def test_what_the_server_refuses_is_told_with_what_to_do(status: RPCStatusCode, said: str, expected: str) -> None:
    with pytest.raises(ServerRefuses, match=expected) as told, refusals_told():
        raise RPCError(said, status, b"")
    assert told.value.hint


def test_a_server_that_does_not_answer_refuses_nothing() -> None:
    with pytest.raises(RPCError), refusals_told():
        raise RPCError("gone", RPCStatusCode.UNAVAILABLE, b"")


def test_a_release_is_read_from_a_build() -> None:
    assert release_of("0.2.0-1f0c9a3e") == "0.2.0"
    assert release_of("nightly") == "nightly"


def test_one_history_that_does_not_fit_is_enough() -> None:
    fits = Replayed(replayed=2, of=2)
    found = SelfTested(build="a", recorded=fits, running=fits)
    misfit = Misfit(id="e", job_type="hpc", why="w")
    assert found.passed
    assert not found.model_copy(update={"running": Replayed(replayed=1, of=3, misfits=(misfit,))}).passed
    assert not found.model_copy(update={"trouble": "its job failed"}).passed
    assert fits.and_also(Replayed(replayed=1, of=4)) == Replayed(replayed=3, of=6)


def test_the_words_of_a_replay_are_read_from_what_the_sdk_makes_of_them() -> None:
    told = 'Failure { failure: Some(Failure { message: "[TMPRL1100] Nondeterminism error: no \\"x\\"", source: "" }) }'
    assert in_words(RuntimeError(told)) == '[TMPRL1100] Nondeterminism error: no \\"x\\"'
    assert in_words(RuntimeError("plain")) == "plain"
