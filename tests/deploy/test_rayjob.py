"""The RayJob of `ocr-bulk`, checked against the command and the pins."""

import functools
import re
import shlex
from typing import Any

import pytest
import yaml

from ocr_service import __version__
from ocr_service.bulk.options import parser
from tests.deploy.test_manifests import DEPLOY, S3_KEYS, USER
from tests.running import ROOT

RAYJOB = DEPLOY / "ray/rayjob.yaml"
PINS = (ROOT / "requirements/ray.txt").read_text()
# The variant with a GPU is in comments.
WITH_GPU = re.sub(r"^(\s+)# (- name: ocr$|  )", r"\1\2", RAYJOB.read_text(), flags=re.MULTILINE)


@functools.cache
def spec() -> Any:
    return yaml.safe_load(RAYJOB.read_text())["spec"]


def workers() -> Any:
    (group,) = spec()["rayClusterSpec"]["workerGroupSpecs"]
    return group


def pods() -> list[Any]:
    return [group["template"]["spec"] for group in (spec()["rayClusterSpec"]["headGroupSpec"], workers())]


def options() -> Any:
    command, *arguments = shlex.split(spec()["entrypoint"])
    assert command == "ocr-bulk"
    return parser({}).parse_args(arguments)


def test_group_of_workers_grows_to_the_workers_of_the_command() -> None:
    assert options().ray and options().local
    assert spec()["rayClusterSpec"]["enableInTreeAutoscaling"]
    assert workers()["minReplicas"] <= workers()["replicas"] < workers()["maxReplicas"] == options().workers
    (container,) = pods()[1]["containers"]
    cores = str(options().worker_cpus)
    assert workers()["rayStartParams"]["num-cpus"] == cores == container["resources"]["limits"]["cpu"]


def test_head_lists_and_reads_nothing() -> None:
    head = spec()["rayClusterSpec"]["headGroupSpec"]
    assert 0 < int(head["rayStartParams"]["num-cpus"]) < options().worker_cpus


def test_image_has_the_version_of_ray_that_the_cluster_names() -> None:
    assert f"\nray=={spec()['rayClusterSpec']['rayVersion']} " in PINS
    # The dashboard accepts the job.
    assert "\naiohttp-cors==" in PINS
    images = {container["image"] for pod in pods() for container in pod["containers"]}
    assert {image.rpartition("/")[2] for image in images} == {f"paddleocr-vl-service:{__version__}-ray"}


@pytest.mark.parametrize("pod", pods(), ids=["head", "worker"])
def test_pod_is_restricted_and_knows_the_bucket(pod: Any) -> None:
    assert (pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsNonRoot"]) == (USER, True)
    (container,) = pod["containers"]
    security = container["securityContext"]
    assert not security["allowPrivilegeEscalation"] and security["capabilities"] == {"drop": ["ALL"]}
    variables = {each["name"]: each for each in container["env"]}
    keys = {name: variables[name]["valueFrom"]["secretKeyRef"]["key"] for name in S3_KEYS}
    assert keys == S3_KEYS


def test_variant_with_a_gpu_has_a_service_beside_the_worker() -> None:
    (group,) = yaml.safe_load(WITH_GPU)["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    ray, service = group["template"]["spec"]["containers"]
    assert ray["name"] == "ray-worker"
    assert service["image"].endswith(f"/paddleocr-vl-service:{__version__}")
    assert service["resources"]["limits"]["nvidia.com/gpu"] == "1"
    variables = {each["name"] for each in service["env"]}
    assert variables >= {"OCR_ENGINE", "CLOUDRU_S3_BUCKET", "CLOUDRU_S3_ENDPOINT", *S3_KEYS}
    # The port of its vLLM is free.
    assert group["rayStartParams"]["metrics-export-port"] != "8080"
