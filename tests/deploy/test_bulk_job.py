"""The Indexed Job of `ocr-bulk`, checked against the command and the API schemas."""

import functools
from typing import Any

import kubernetes_validate
import pytest

from ocr_service.bulk.cli import SOME_FAILED
from ocr_service.bulk.options import parser
from ocr_service.bulk.shards import Shard
from tests.deploy.test_manifests import IMAGE_TAGS, KUBERNETES, USER, kustomized

# The first one that tries each index again by default.
OLDEST = "1.29"


@functools.cache
def job() -> Any:
    (manifest,) = kustomized("bulk")
    return manifest


def container() -> Any:
    (found,) = job()["spec"]["template"]["spec"]["containers"]
    return found


@pytest.mark.parametrize("version", [OLDEST, KUBERNETES[-1]])
def test_job_is_valid(version: str) -> None:
    assert kubernetes_validate.validate(job(), version, strict=True) == version


def test_command_has_a_part_for_each_index() -> None:
    assert container()["command"] == ["ocr-bulk"]
    spec = job()["spec"]
    shards = []
    for index in range(spec["completions"]):
        arguments = [each.replace("$(JOB_COMPLETION_INDEX)", str(index)) for each in container()["args"]]
        options = parser({}).parse_args(arguments)
        assert options.local
        shards.append(options.shard)
    assert spec["completionMode"] == "Indexed"
    assert shards == [Shard(index, len(shards)) for index in range(len(shards))]


def test_only_failures_that_another_try_can_mend_are_tried_again() -> None:
    ignored, failed_documents, wrong_usage = job()["spec"]["podFailurePolicy"]["rules"]
    disruption = {"type": "DisruptionTarget", "status": "True"}
    assert ignored == {"action": "Ignore", "onPodConditions": [disruption]}
    assert (failed_documents["action"], failed_documents["onExitCodes"]["values"]) == (
        "FailIndex",
        [SOME_FAILED],
    )
    with pytest.raises(SystemExit) as ended:
        parser({}).parse_args([])
    assert (wrong_usage["action"], wrong_usage["onExitCodes"]["values"]) == ("FailJob", [ended.value.code])
    assert {rule["onExitCodes"]["containerName"] for rule in (failed_documents, wrong_usage)} == {
        container()["name"]
    }
    # Required for both policies.
    assert job()["spec"]["template"]["spec"]["restartPolicy"] == "Never"


def test_pod_is_restricted() -> None:
    pod = job()["spec"]["template"]["spec"]
    assert (pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsNonRoot"]) == (USER, True)
    security = container()["securityContext"]
    assert security["readOnlyRootFilesystem"] and security["capabilities"] == {"drop": ["ALL"]}
    assert container()["image"].endswith(f"/paddleocr-vl-service:{IMAGE_TAGS['cpu']}")
