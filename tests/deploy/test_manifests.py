"""The Kubernetes manifests, checked against the code, the platform's numbers and the API schemas."""

import functools
import re
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from ocr_service import __version__
from ocr_service.config import load_settings
from server import create_app
from tests.deploy.variables import known_variables, seconds_to_stop, start_script
from tests.fakes.scripted_engine import ScriptedEngine
from tests.running import ROOT
from tests.settings import settings_of

DEPLOY = ROOT / "deploy"
DATABASE = yaml.safe_load((DEPLOY / "kubernetes/postgresql/secret.example.yaml").read_text())
SECRET = yaml.safe_load((DEPLOY / "kubernetes/base/secret.example.yaml").read_text())
API_KEYS = yaml.safe_load((DEPLOY / "kubernetes/base/api-keys.example.yaml").read_text())
KUBECTL = ROOT / ".cache/kubectl/bin/kubectl"
OVERLAYS = ["gpu", "cpu"]
# The oldest version that knows every field in use, and the newest version with schemas.
KUBERNETES = ["1.27", "1.37"]

NAME = "paddleocr-vl-service"
LABELS = {"app": "paddleocr-vl"}
USER = 10001
IMAGE_TAGS = {"gpu": __version__, "cpu": f"{__version__}-cpu"}
S3_KEYS = {"CLOUDRU_S3_ACCESS_KEY": "access-key", "CLOUDRU_S3_SECRET_KEY": "secret-key"}

PROBE_FIELDS = (
    "initialDelaySeconds",
    "periodSeconds",
    "timeoutSeconds",
    "failureThreshold",
    "successThreshold",
)
PROBED = {
    "startupProbe": "/health",
    "livenessProbe": "/health/live",
    "readinessProbe": "/health/ready",
}
PROBES = {
    ("gpu", "startupProbe"): (0, 15, 10, 40, 1),
    ("gpu", "livenessProbe"): (180, 30, 10, 3, 1),
    ("gpu", "readinessProbe"): (240, 15, 5, 3, 1),
    ("cpu", "startupProbe"): (0, 15, 10, 40, 1),
    ("cpu", "livenessProbe"): (0, 30, 10, 3, 1),
    ("cpu", "readinessProbe"): (0, 15, 5, 3, 1),
}
RESOURCES = {
    "gpu": {
        "requests": {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "1"},
        "limits": {"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "1"},
    },
    "cpu": {
        "requests": {"cpu": "2", "memory": "4Gi"},
        "limits": {"cpu": "4", "memory": "8Gi"},
    },
}

# Volume types that the Pod Security Standard `restricted` allows.
VOLUME_KINDS = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}

# Patterns of secrets; placeholders are in angle brackets.
SECRET_LOOKS = {
    "long word with digits": r"\b(?=[a-z+/]*\d)[a-z0-9+/]{20,}",
    "identifier": r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b",
    "value under a secret name": r"(?:password|token|secret|[a-z0-9][_-]key): +(?!<|false$)\S+",
    "variable with a secret name": r"name: +\w*(?:password|token|secret|_key)\s+value: *\S+",
    "private key": r"-----BEGIN",
}

PORT_FIELDS = {"port", "targetPort", "containerPort", "hostPort", "nodePort", "endPort"}


def kustomized(folder: str) -> list[Any]:
    """Return the objects that kustomize makes of a folder."""
    command: list[str | Path] = [KUBECTL, "kustomize", DEPLOY / "kubernetes" / folder]
    built = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (built.returncode, built.stderr) == (0, "")
    return list(yaml.safe_load_all(built.stdout))


@functools.cache
def example_of_a_database() -> list[Any]:
    return kustomized("postgresql")


class Overlay:
    """The output of kustomize for one overlay."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.manifests = kustomized(f"overlays/{name}")

    def one(self, kind: str) -> Any:
        (manifest,) = [each for each in self.manifests if each["kind"] == kind]
        return manifest

    def spec(self, kind: str) -> Any:
        return self.one(kind)["spec"]

    @property
    def pod(self) -> Any:
        return self.spec("Deployment")["template"]["spec"]

    @property
    def container(self) -> Any:
        (container,) = self.pod["containers"]
        return container

    @property
    def environment(self) -> dict[str, str]:
        """Variables with a literal value in the manifest."""
        return {each["name"]: each["value"] for each in self.container["env"] if "value" in each}

    @property
    def ports(self) -> dict[str, int]:
        return {port["name"]: port["containerPort"] for port in self.container["ports"]}


@pytest.fixture(scope="session", params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> Overlay:
    return Overlay(request.param)


def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text()


def found(value: Any, names: set[str]) -> Iterator[Any]:
    """Yield the values under these names, at any depth."""
    children = value.items() if isinstance(value, dict) else enumerate(value)
    for name, child in children:
        if isinstance(child, dict | list):
            yield from found(child, names)
        elif name in names:
            yield child


def test_overlay_has_the_expected_objects_and_no_secret(overlay: Overlay) -> None:
    assert sorted(manifest["kind"] for manifest in overlay.manifests) == [
        "Deployment",
        "HorizontalPodAutoscaler",
        "NetworkPolicy",
        "PersistentVolumeClaim",
        "PodDisruptionBudget",
        "Service",
    ]


@pytest.mark.parametrize("version", KUBERNETES)
def test_manifests_are_valid(overlay: Overlay, version: str) -> None:
    for manifest in [*overlay.manifests, SECRET, API_KEYS]:
        # If a kind has no schema, this raises too.
        assert kubernetes_validate.validate(manifest, version, strict=True) == version


def test_ports_exist(overlay: Overlay) -> None:
    ports = list(found(overlay.manifests, PORT_FIELDS))
    assert ports
    for port in ports:
        assert port in overlay.ports if isinstance(port, str) else 0 < port < 65536, port


def test_names_of_the_objects(overlay: Overlay) -> None:
    assert overlay.one("Deployment")["metadata"]["name"] == NAME
    assert overlay.one("Service")["metadata"]["name"] == NAME
    assert overlay.container["name"] == "paddleocr-vl"
    assert set(overlay.ports) == {"http-api", "vllm"}
    assert SECRET["metadata"]["name"] == "cloudru-s3-credentials"
    for manifest in overlay.manifests:
        assert LABELS.items() <= manifest["metadata"]["labels"].items()


def test_image_is_this_release(overlay: Overlay) -> None:
    registry = "registry-xxxxx.cr.cloud.ru"
    assert overlay.container["image"] == f"{registry}/{NAME}:{IMAGE_TAGS[overlay.name]}"
    assert overlay.container["imagePullPolicy"] == "Always"
    assert overlay.pod["imagePullSecrets"] == [{"name": "artifact-registry"}]


def test_container_ports_match_the_start_script(overlay: Overlay) -> None:
    variables = start_script() | overlay.environment
    assert overlay.ports == {
        "http-api": int(variables["UVICORN_PORT"]),
        "vllm": int(variables["VLLM_SERVER_PORT"]),
    }


def test_service_exposes_only_http(overlay: Overlay) -> None:
    service = overlay.spec("Service")
    assert service["type"] == "LoadBalancer"
    (port,) = service["ports"]
    assert (port["name"], port["port"], port["targetPort"]) == ("http-api", 8081, "http-api")


def test_selectors_find_the_pods(overlay: Overlay) -> None:
    labels = overlay.spec("Deployment")["template"]["metadata"]["labels"]
    selectors = [
        overlay.spec("Service")["selector"],
        overlay.spec("Deployment")["selector"]["matchLabels"],
        overlay.spec("PodDisruptionBudget")["selector"]["matchLabels"],
        overlay.spec("NetworkPolicy")["podSelector"]["matchLabels"],
    ]
    for selector in selectors:
        assert selector and selector.items() <= labels.items()


def test_annotations_name_the_metrics_endpoint(overlay: Overlay) -> None:
    annotations = overlay.spec("Deployment")["template"]["metadata"]["annotations"]
    assert annotations == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(overlay.ports["http-api"]),
        "prometheus.io/path": "/metrics",
    }


def test_environment_is_known_and_accepted(overlay: Overlay) -> None:
    assert {each["name"] for each in overlay.container["env"]} <= known_variables()
    settings = load_settings(overlay.environment)
    assert settings.engine.choice == {"gpu": "paddleocr-vl", "cpu": "tesseract"}[overlay.name]
    assert settings.engine.preload == (overlay.name == "gpu")


def test_s3_and_api_keys_are_optional_and_come_from_a_secret_each(overlay: Overlay) -> None:
    references = {
        each["name"]: each["valueFrom"]["secretKeyRef"]
        for each in overlay.container["env"]
        if "valueFrom" in each
    }
    (keys,) = API_KEYS["stringData"]
    assert references.pop("OCR_API_KEYS") == {
        "name": API_KEYS["metadata"]["name"],
        "key": keys,
        "optional": True,
    }
    database = {"name": DATABASE["metadata"]["name"], "key": "url", "optional": True}
    assert references.pop("OCR_JOBS_URL") == database
    assert references == {
        variable: {"name": SECRET["metadata"]["name"], "key": key, "optional": True}
        for variable, key in S3_KEYS.items()
    }
    assert set(SECRET["stringData"]) == set(S3_KEYS.values())
    assert overlay.environment["OCR_JOBS_REPLICATED"] == "true"
    assert overlay.environment["CLOUDRU_S3_ENDPOINT"] == "https://s3.cloud.ru"
    assert overlay.environment["CLOUDRU_S3_BUCKET"] == "your-bucket-name"


@pytest.mark.parametrize("probe", PROBED)
def test_probes_have_the_numbers_of_the_platform(overlay: Overlay, probe: str) -> None:
    settings = overlay.container[probe]
    assert tuple(settings[field] for field in PROBE_FIELDS) == PROBES[overlay.name, probe]
    assert settings["httpGet"] == {"path": PROBED[probe], "port": "http-api"}


@pytest.mark.parametrize("path", PROBED.values())
def test_probed_path_is_a_route(path: str) -> None:
    assert "get" in create_app(settings_of(), ScriptedEngine()).openapi()["paths"][path]


def test_resources(overlay: Overlay) -> None:
    assert overlay.container["resources"] == RESOURCES[overlay.name]


def test_pods_can_be_scaled_and_replaced(overlay: Overlay) -> None:
    deployment, scaling = overlay.spec("Deployment"), overlay.spec("HorizontalPodAutoscaler")
    assert "replicas" not in deployment
    assert (scaling["minReplicas"], scaling["maxReplicas"]) == (1, 3)
    target = overlay.one("Deployment")
    assert scaling["scaleTargetRef"] == {
        "apiVersion": target["apiVersion"],
        "kind": target["kind"],
        "name": target["metadata"]["name"],
    }
    goals = {each["resource"]["name"]: each["resource"]["target"] for each in scaling["metrics"]}
    assert {name: goal["averageUtilization"] for name, goal in goals.items()} == {"cpu": 70, "memory": 80}


def test_new_pod_does_not_wait_for_a_second_gpu() -> None:
    gpu = Overlay("gpu")
    assert gpu.spec("Deployment")["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    assert {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"} in gpu.pod["tolerations"]


def test_node_of_a_single_replica_can_be_drained(overlay: Overlay) -> None:
    budget = overlay.spec("PodDisruptionBudget")
    assert "minAvailable" not in budget
    assert budget["maxUnavailable"] == 1
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_volumes_are_defined(overlay: Overlay) -> None:
    volumes = {volume["name"]: volume for volume in overlay.pod["volumes"]}
    mounts = {mount["mountPath"]: volumes[mount["name"]] for mount in overlay.container["volumeMounts"]}
    assert set(mounts) == {"/tmp", "/app/output"}
    assert mounts["/tmp"]["emptyDir"]["sizeLimit"]
    claim = overlay.one("PersistentVolumeClaim")
    assert claim["metadata"]["name"] == "paddleocr-output-pvc"
    assert mounts["/app/output"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    # Several pods on several nodes share the volume.
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]


def test_grace_period_covers_the_shutdown(overlay: Overlay) -> None:
    command, pause = overlay.container["lifecycle"]["preStop"]["exec"]["command"]
    assert command == "sleep"
    needed = int(pause) + seconds_to_stop(overlay.environment)
    assert needed < overlay.pod["terminationGracePeriodSeconds"] <= 120
    assert {"OCR_DRAIN_TIMEOUT", "UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN"} <= set(overlay.environment)


def violations(pod: dict[str, Any]) -> list[str]:
    """Return the rules of the Pod Security Standard `restricted` that a pod violates."""
    security = pod.get("securityContext", {})
    rules = {
        "host's namespaces": not any(pod.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")),
        "volumes": all(set(volume) - {"name"} <= VOLUME_KINDS for volume in pod["volumes"]),
        "sysctls": not security.get("sysctls"),
        "user": security.get("runAsNonRoot") is True and security.get("runAsUser") != 0,
        "seccomp": security.get("seccompProfile", {}).get("type") == "RuntimeDefault",
        "SELinux and AppArmor": not {"seLinuxOptions", "appArmorProfile"} & set(security),
    }
    broken = [rule for rule, kept in rules.items() if not kept]
    for container in [*pod["containers"], *pod.get("initContainers", [])]:
        broken += container_violations(container)
    return broken


def container_violations(container: dict[str, Any]) -> list[str]:
    security = container.get("securityContext", {})
    capabilities = security.get("capabilities", {})
    # A container must not override the settings of its pod.
    overrides = {"runAsNonRoot", "runAsUser", "seccompProfile", "seLinuxOptions", "appArmorProfile"}
    rules = {
        "privileged": not security.get("privileged"),
        "escalation": security.get("allowPrivilegeEscalation") is False,
        "capabilities": capabilities.get("drop") == ["ALL"]
        and set(capabilities.get("add", [])) <= {"NET_BIND_SERVICE"},
        "overrides": not overrides & set(security),
        "procMount": security.get("procMount", "Default") == "Default",
        "host's ports": not list(found(container, {"hostPort"})),
        "probes of other hosts": not list(found(container, {"host"})),
    }
    return [rule for rule, kept in rules.items() if not kept]


def test_pod_meets_the_restricted_standard(overlay: Overlay) -> None:
    assert violations(overlay.pod) == []


def test_pod_has_no_extra_rights(overlay: Overlay) -> None:
    assert overlay.container["securityContext"]["readOnlyRootFilesystem"] is True
    assert overlay.pod["automountServiceAccountToken"] is False
    assert overlay.pod["enableServiceLinks"] is False
    assert set(re.findall(r"^USER (.+)$", dockerfile(), re.MULTILINE)) == {f"{USER}:{USER}"}
    security = overlay.pod["securityContext"]
    assert [security[name] for name in ("runAsUser", "runAsGroup", "fsGroup")] == [USER] * 3


def may_reach(policy: dict[str, Any], address: str, port: int) -> bool:
    """Return whether a policy allows outgoing packets to an IP address."""
    rules = [rule for rule in policy["egress"] if port in {each["port"] for each in rule["ports"]}]
    blocks = [peer["ipBlock"] for rule in rules for peer in rule["to"] if "ipBlock" in peer]
    return any(
        ip_address(address) in ip_network(block["cidr"])
        and not any(ip_address(address) in ip_network(each) for each in block.get("except", []))
        for block in blocks
    )


def test_network_policy_allows_only_http_in(overlay: Overlay) -> None:
    policy = overlay.spec("NetworkPolicy")
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["ingress"] == [{"ports": [{"protocol": "TCP", "port": overlay.ports["http-api"]}]}]


@pytest.mark.parametrize(
    "address",
    [
        "10.1.2.3",
        "172.31.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "fd00:ec2::254",
        "fe80::1",
    ],
)
def test_network_policy_blocks_private_addresses(overlay: Overlay, address: str) -> None:
    policy = overlay.spec("NetworkPolicy")
    assert not any(may_reach(policy, address, port) for port in (53, 80, 443))


@pytest.mark.parametrize("address", ["203.0.113.7", "2001:db8::7"])
def test_network_policy_allows_public_addresses(overlay: Overlay, address: str) -> None:
    policy = overlay.spec("NetworkPolicy")
    assert [port for port in (22, 53, 80, 443, 8080) if may_reach(policy, address, port)] == [80, 443]


def test_network_policies_let_the_pods_reach_the_database_of_the_jobs(overlay: Overlay) -> None:
    objects = example_of_a_database()
    database = {each["kind"]: each for each in objects}
    labels = database["StatefulSet"]["spec"]["template"]["metadata"]["labels"]
    assert database["Service"]["spec"]["selector"].items() <= labels.items()
    (rule,) = [
        each
        for each in overlay.spec("NetworkPolicy")["egress"]
        if each["ports"] == [{"protocol": "TCP", "port": 5432}]
    ]
    assert [peer["podSelector"]["matchLabels"] for peer in rule["to"]] == [{"app": labels["app"]}]
    (allowed,) = database["NetworkPolicy"]["spec"]["ingress"]
    pods = allowed["from"][0]["podSelector"]["matchLabels"]
    assert pods.items() <= overlay.spec("Deployment")["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize("version", KUBERNETES)
def test_example_of_a_database_is_valid(version: str) -> None:
    for manifest in [*example_of_a_database(), DATABASE]:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_network_policy_allows_dns(overlay: Overlay) -> None:
    policy = overlay.spec("NetworkPolicy")
    ports = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    (dns,) = [rule for rule in policy["egress"] if rule["ports"] == ports]
    assert {"matchLabels": {"k8s-app": "kube-dns"}} in [peer.get("podSelector") for peer in dns["to"]]
    assert may_reach(policy, "169.254.20.10", 53)


def test_secret_is_an_example() -> None:
    assert SECRET["stringData"] == {
        "access-key": "<tenant_id>:<key_id>",
        "secret-key": "<key_secret>",
    }
    assert API_KEYS["stringData"] == {"keys": "<one>,<another>"}


@pytest.mark.parametrize("path", sorted(DEPLOY.rglob("*.y*ml")), ids=lambda path: path.name)
def test_files_contain_no_secret(path: Path) -> None:
    text = path.read_text()
    looks = re.IGNORECASE | re.MULTILINE
    assert [name for name, pattern in SECRET_LOOKS.items() if re.search(pattern, text, looks)] == []
