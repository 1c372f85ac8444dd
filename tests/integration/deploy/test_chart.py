"""The Helm chart and the manifests rendered from it, without a cluster."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import pytest
import yaml

from scripts.render_manifests import CHART, KUBERNETES, MANIFESTS, manifests, render
from server.runtime.settings import SECTIONS
from tests.support.server import ROOT
from tests.support.tools import run_tool

OLDEST_KUBERNETES = "1.27"
NEWEST_KUBERNETES = KUBERNETES.rpartition(".")[0]
# Kinds of the Prometheus operator, whose schemas are not Kubernetes' own.
FOREIGN_GROUP = "monitoring.coreos.com/"
EVERYTHING = (
    *("--set", "tls.secret=memoir-tls,tls.clientAuth=true,databasesCa=databases"),
    *("--set", "metrics.serviceMonitor.enabled=true,settings.MEMOIR_LOG_LEVEL=debug,workers=4"),
    *(
        "--set",
        "imagePullSecrets[0].name=registry,networkPolicy.from[0].podSelector.matchLabels.a=b",
    ),
)
LITTLE = (
    *("--set", "autoscaling.enabled=false,networkPolicy.enabled=false,migration.enabled=false"),
    *("--set", "http.enabled=false,serviceAccount.create=false"),
)
VALUES = pytest.mark.parametrize(
    "values", [(), EVERYTHING, LITTLE], ids=["default", "everything", "little"]
)


def rendered(*values: str) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(render(*values)) if document]


def only(documents: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    [found] = [document for document in documents if document["kind"] == kind]
    return found


def pods(documents: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for document in documents:
        if document["kind"] in {"Deployment", "Job"}:
            yield document["spec"]["template"]["spec"]


def environment(container: dict[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container["env"]}


async def test_helm_lint_passes() -> None:
    version = ("--kube-version", KUBERNETES)
    status, out = await run_tool("helm", "lint", "--strict", str(CHART), *version, *EVERYTHING)
    assert status == 0, out


@VALUES
@pytest.mark.parametrize("version", [OLDEST_KUBERNETES, NEWEST_KUBERNETES])
def test_every_manifest_is_what_kubernetes_expects(values: tuple[str, ...], version: str) -> None:
    for document in rendered(*values):
        if not document["apiVersion"].startswith(FOREIGN_GROUP):
            kubernetes_validate.validate(document, version, strict=True)


def test_a_misspelt_field_would_be_found() -> None:
    deployment = only(rendered(), "Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, NEWEST_KUBERNETES, strict=True)


def test_the_plain_manifests_are_current() -> None:
    current = {path.name: path.read_text("utf-8") for path in MANIFESTS.glob("*.yaml")}
    assert current == manifests()


@VALUES
def test_pods_have_the_fewest_privileges(values: tuple[str, ...]) -> None:
    user = re.search(r"--uid (\d+)", (ROOT / "Dockerfile").read_text("utf-8"))
    assert user is not None
    for pod in pods(rendered(*values)):
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == int(user[1])
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert {"cpu", "memory"} <= set(container["resources"]["requests"])
            assert "memory" in container["resources"]["limits"]


@VALUES
def test_every_variable_is_a_setting(values: tuple[str, ...]) -> None:
    settings = {
        f"{section.model_config.get('env_prefix', '')}{name}".upper()
        for section in SECTIONS
        for name in section.model_fields
    }
    for pod in pods(rendered(*values)):
        names = [entry["name"] for entry in pod["containers"][0]["env"]]
        assert len(names) == len(set(names))
        assert set(names) - {"SSL_CERT_FILE"} <= settings


@VALUES
def test_a_pod_has_the_time_to_drain(values: tuple[str, ...]) -> None:
    pod = only(rendered(*values), "Deployment")["spec"]["template"]["spec"]
    variables = environment(pod["containers"][0])
    needed = int(variables["MEMOIR_GRPC_DRAIN_DELAY"]) + int(variables["MEMOIR_GRPC_DRAIN_SECONDS"])
    assert pod["terminationGracePeriodSeconds"] >= needed + 10
    probe = pod["containers"][0]["readinessProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] < int(
        variables["MEMOIR_GRPC_DRAIN_DELAY"]
    )


def test_probes_do_not_meet_encryption() -> None:
    [container] = only(rendered(*EVERYTHING), "Deployment")["spec"]["template"]["spec"][
        "containers"
    ]
    variables = environment(container)
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        port = container[probe]["grpc"]["port"]
        assert str(port) == variables["MEMOIR_GRPC_HEALTH_PORT"] != variables["MEMOIR_GRPC_PORT"]
    assert container["readinessProbe"]["grpc"]["service"] == "memoir.v1.MemoryService"


def test_services_and_the_budget_select_the_pods() -> None:
    documents = rendered(*EVERYTHING)
    labels = only(documents, "Deployment")["spec"]["template"]["metadata"]["labels"]
    ports = {
        port["name"]
        for container in only(documents, "Deployment")["spec"]["template"]["spec"]["containers"]
        for port in container["ports"]
    }
    services = [document for document in documents if document["kind"] == "Service"]
    for service in services:
        assert service["spec"]["selector"].items() <= labels.items()
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    assert any(service["spec"].get("clusterIP") == "None" for service in services)
    budget = only(documents, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"]
    assert budget.items() <= labels.items()
    wanted = only(documents, "ServiceMonitor")["spec"]["selector"]["matchLabels"]
    monitored = [s for s in services if wanted.items() <= s["metadata"]["labels"].items()]
    assert [service["metadata"]["name"] for service in monitored] == ["memoir-metrics"]
    migration = only(documents, "Job")["spec"]["template"]["metadata"]["labels"]
    assert not budget.items() <= migration.items()


def test_the_owner_of_the_tables_is_known_to_the_migration_alone() -> None:
    values = ("--set", "migration.secret=memoir-owner,migration.serviceRole=memoir_service")
    documents = rendered(*values)
    [migration] = only(documents, "Job")["spec"]["template"]["spec"]["containers"]
    [server] = only(documents, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert migration["args"] == ["migrate", "--service-role", "memoir_service"]
    assert migration["envFrom"] == [{"secretRef": {"name": "memoir-owner"}}]
    assert server["envFrom"] == [{"secretRef": {"name": "memoir"}}]


def test_values_that_cannot_work_are_refused() -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        render("--set", "models=gpt")
    assert "models" in refused.value.stderr
