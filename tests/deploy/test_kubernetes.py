"""The Kubernetes files: what the API and the controllers take, and the traps of scaling workers."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from howdah.names import SELF_TEST, WORKFLOW_QUEUE
from howdah.steps.batch import CAPABILITIES, queue
from howdah.workers.tuning import TUNING

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
OBJECTS: list[dict[str, Any]] = [
    found for path in sorted(FOLDER.glob("*.yaml")) for found in YAML(typ="safe").load_all(path.read_text())
]
CUSTOM = {
    ("temporal.io/v1alpha1", "Connection"),
    ("temporal.io/v1alpha1", "WorkerDeployment"),
    ("temporal.io/v1alpha1", "WorkerResourceTemplate"),
    ("keda.sh/v1alpha1", "ScaledObject"),
    ("keda.sh/v1alpha1", "TriggerAuthentication"),
}
"""Kinds of the controllers, by the names they have since version 1.7 of the Worker Controller and 2.17 of KEDA."""


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [found for found in OBJECTS if found["kind"] == kind]


def pods() -> list[dict[str, Any]]:
    return [found["spec"]["template"]["spec"] for kind in ("Deployment", "WorkerDeployment") for found in of_kind(kind)]


def scaled() -> list[dict[str, Any]]:
    templates = [found["spec"]["template"] for found in of_kind("WorkerResourceTemplate")]
    return [found["spec"] for found in [*of_kind("ScaledObject"), *templates]]


def test_the_files_are_what_the_api_of_kubernetes_takes(tmp_path: Path) -> None:
    known = [found for found in OBJECTS if (found["apiVersion"], found["kind"]) not in CUSTOM]
    with (tmp_path / "known.yaml").open("wb") as written:
        YAML().dump_all(known, written)
    program = Path(sys.executable).with_name("kubernetes-validate")
    command = [str(program), "--strict", str(tmp_path / "known.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "WARN" not in done.stdout + done.stderr, done.stdout + done.stderr


@pytest.mark.parametrize("pod", pods(), ids=lambda pod: " ".join(pod["containers"][0]["args"]))
def test_a_pod_is_not_root_and_has_time_to_end(pod: dict[str, Any]) -> None:
    longest = max(tuning.grace.total_seconds() for tuning in TUNING.values())
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] and pod["automountServiceAccountToken"] is False
    assert pod["terminationGracePeriodSeconds"] >= 2 * longest
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["resources"]["limits"]["memory"]
    assert "livenessProbe" not in container and container["readinessProbe"]


def test_every_volume_and_object_that_is_named_is_there() -> None:
    there = {(found["kind"], found["metadata"]["name"]) for found in OBJECTS}
    for pod in pods():
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        assert {mount["name"] for mount in pod["containers"][0]["volumeMounts"]} == set(volumes)
        for volume in volumes.values():
            assert "configMap" not in volume or ("ConfigMap", volume["configMap"]["name"]) in there
            assert "secret" not in volume or ("Secret", volume["secret"]["secretName"]) in there
    (connection,) = of_kind("Connection")
    assert ("Secret", connection["spec"]["mutualTLSSecretRef"]["name"]) in there
    for spec in scaled():
        for trigger in spec["triggers"]:
            assert ("TriggerAuthentication", trigger["authenticationRef"]["name"]) in there


def test_workers_are_never_scaled_to_none() -> None:
    """KEDA counts what waits in a queue: a step that runs for hours does not, and nobody would watch it."""
    assert scaled()
    assert all(spec["minReplicaCount"] >= 1 for spec in scaled())


def test_scaling_looks_at_queues_that_are_ours() -> None:
    known = {WORKFLOW_QUEUE, *(queue("cluster", capability) for capability in CAPABILITIES)}
    for spec in scaled():
        for trigger in spec["triggers"]:
            assert trigger["type"] == "temporal" and trigger["metadata"]["taskQueue"] in known


def test_what_belongs_to_a_build_is_left_to_the_controller() -> None:
    """Its webhook refuses anything else: https://github.com/temporalio/temporal-worker-controller"""
    for found in of_kind("WorkerResourceTemplate"):
        spec = found["spec"]["template"]["spec"]
        assert spec["scaleTargetRef"] == {}
        for trigger in spec["triggers"]:
            told = trigger["metadata"]
            assert [told[name] for name in ("namespace", "workerDeploymentName", "workerDeploymentBuildId")] == [""] * 3


def test_only_workers_of_workflows_belong_to_the_controller() -> None:
    (deployment,) = of_kind("WorkerDeployment")
    template = deployment["spec"]["template"]["spec"]["containers"][0]
    assert template["args"] == ["worker", "start", "--workflows"]
    assert not [one for one in template.get("env", ()) if one["name"].startswith("TEMPORAL_")]
    assert deployment["spec"]["rollout"]["gate"]["workflowType"] == SELF_TEST
    assert len(deployment["metadata"]["name"]) <= 47


def test_no_secret_holds_anything() -> None:
    for secret in of_kind("Secret"):
        assert set(secret["data"].values()) == {""}
