"""The overlays that scale beyond one GPU per replica: by the queue with KEDA, and with vLLM apart."""

import functools
from typing import Any

import kubernetes_validate
import pytest

from ocr_service.config import load_settings
from tests.deploy.test_manifests import KUBERNETES, NAME, Overlay, kustomized, violations
from tests.deploy.variables import known_variables, start_script
from tests.running import ROOT

METRICS = (ROOT / "docs/operations.md").read_text()


@functools.cache
def keda() -> Overlay:
    return Overlay("gpu-keda")


@functools.cache
def apart() -> Overlay:
    return Overlay("vllm-apart")


def scaled() -> Any:
    return keda().spec("ScaledObject")


def vllm_pod() -> Any:
    return apart().spec("StatefulSet")["template"]["spec"]


def of_vllm(kind: str) -> Any:
    (found,) = [
        each for each in apart().manifests if each["kind"] == kind and each["metadata"]["name"] == "ocr-vllm"
    ]
    return found


def value_of(container: Any, name: str) -> Any:
    (variable,) = [each for each in container["env"] if each["name"] == name]
    return variable.get("value") or variable["valueFrom"]["secretKeyRef"]


def test_keda_replaces_the_autoscaler_and_nothing_else() -> None:
    kinds = sorted(each["kind"] for each in kustomized("overlays/gpu"))
    kinds[kinds.index("HorizontalPodAutoscaler")] = "ScaledObject"
    assert sorted(each["kind"] for each in keda().manifests) == sorted(kinds)
    assert keda().one("Deployment") == Overlay("gpu").one("Deployment")


def test_keda_scales_the_deployment_as_the_autoscaler_does() -> None:
    autoscaler = Overlay("gpu").spec("HorizontalPodAutoscaler")
    assert scaled()["scaleTargetRef"] == autoscaler["scaleTargetRef"]
    assert scaled()["minReplicaCount"] == autoscaler["minReplicas"]
    assert scaled()["maxReplicaCount"] == autoscaler["maxReplicas"]
    # KEDA takes over an autoscaler of this name, which a cluster may have from the overlay `gpu`.
    annotations = keda().one("ScaledObject")["metadata"]["annotations"]
    assert annotations == {"scaledobject.keda.sh/transfer-hpa-ownership": "true"}
    assert scaled()["advanced"]["horizontalPodAutoscalerConfig"]["name"] == NAME


def test_keda_reads_metrics_of_the_service() -> None:
    queries = {trigger["name"]: trigger["metadata"]["query"] for trigger in scaled()["triggers"]}
    assert queries == {
        "oldest-job": 'max(ocr_jobs_oldest_pending_seconds{job="ocr"})',
        "pages-ahead": 'sum(ocr_pages_ahead{job="ocr"})',
    }
    for name in ("ocr_jobs_oldest_pending_seconds", "ocr_pages_ahead"):
        assert f"| `{name}` | gauge |" in METRICS
    assert {trigger["type"] for trigger in scaled()["triggers"]} == {"prometheus"}
    # The fallback works for this type only.
    assert {trigger["metricType"] for trigger in scaled()["triggers"]} == {"AverageValue"}
    for trigger in scaled()["triggers"]:
        assert set(trigger["metadata"]) == {"serverAddress", "query", "threshold"}
        assert float(trigger["metadata"]["threshold"]) > 0
    assert 1 <= scaled()["fallback"]["replicas"] <= scaled()["maxReplicaCount"]


@pytest.mark.parametrize("version", KUBERNETES)
def test_manifests_of_vllm_apart_are_valid(version: str) -> None:
    for manifest in apart().manifests:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_the_service_names_every_vllm_server() -> None:
    stateful = of_vllm("StatefulSet")["spec"]
    service = of_vllm("Service")
    settings = load_settings(apart().environment)
    port = service["spec"]["ports"][0]["port"]
    assert stateful["serviceName"] == service["metadata"]["name"]
    assert settings.vlm.api_urls == tuple(
        f"http://ocr-vllm-{number}.ocr-vllm:{port}/v1" for number in range(stateful["replicas"])
    )
    assert settings.engine.choice == "paddleocr-vl" and settings.paddleocr_vl.device == "cpu"
    # A name for each pod, also for one whose health is not known yet.
    assert service["spec"]["clusterIP"] == "None" and service["spec"]["publishNotReadyAddresses"]


def test_vllm_listens_where_the_service_looks() -> None:
    (container,) = vllm_pod()["containers"]
    literals = {each["name"]: each["value"] for each in container["env"] if "value" in each}
    variables = start_script() | literals
    assert {each["name"] for each in container["env"]} <= known_variables()
    assert container["args"] == ["vllm"] and variables["VLLM_SERVER_HOST"] == "0.0.0.0"
    assert container["ports"][0]["containerPort"] == int(variables["VLLM_SERVER_PORT"])
    assert of_vllm("Service")["spec"]["ports"][0]["targetPort"] == container["ports"][0]["name"]
    assert container["image"] == apart().container["image"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert "nvidia.com/gpu" not in apart().container["resources"]["limits"]


def test_both_have_the_same_key() -> None:
    (container,) = vllm_pod()["containers"]
    keys = [value_of(each, "OCR_VLM_API_KEY") for each in (container, apart().container)]
    assert keys[0] == keys[1] == {"name": "ocr-vllm-key", "key": "key", "optional": True}


def test_pod_of_vllm_meets_the_restricted_standard() -> None:
    assert violations(vllm_pod()) == []
    (container,) = vllm_pod()["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert vllm_pod()["automountServiceAccountToken"] is False


def test_only_the_service_reaches_vllm() -> None:
    policy = of_vllm("NetworkPolicy")["spec"]
    labels = of_vllm("StatefulSet")["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"] == labels == of_vllm("Service")["spec"]["selector"]
    assert "egress" not in policy and "Egress" in policy["policyTypes"]
    (allowed,) = policy["ingress"]
    pods = apart().spec("Deployment")["template"]["metadata"]["labels"]
    assert allowed["from"][0]["podSelector"]["matchLabels"].items() <= pods.items()
    (own,) = [
        each["spec"]
        for each in apart().manifests
        if each["kind"] == "NetworkPolicy" and each["metadata"]["name"] == NAME
    ]
    assert {"to": [{"podSelector": {"matchLabels": labels}}], "ports": allowed["ports"]} in own["egress"]
    # The public Service of the OCR service must not find the pods of vLLM.
    (public,) = [
        each for each in apart().manifests if each["metadata"]["name"] == NAME and each["kind"] == "Service"
    ]
    assert not public["spec"]["selector"].items() <= labels.items()
