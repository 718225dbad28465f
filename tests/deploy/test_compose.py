"""The compose file, checked against the code and the compose specification."""

import json
import re
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from ocr_service.config import load_settings
from tests.deploy.variables import known_variables, seconds_to_stop, start_script
from tests.running import ROOT

COMPOSE = ROOT / "deploy/docker-compose.yml"
KEYS = {"OCR_API_KEYS"}
S3_VARIABLES = {f"CLOUDRU_S3_{name}" for name in ("ENDPOINT", "BUCKET", "ACCESS_KEY", "SECRET_KEY")}
SUFFIXES = {"gpu": "", "cpu": "-cpu"}


@pytest.fixture(scope="session")
def compose() -> Any:
    return yaml.safe_load(COMPOSE.read_text())


@pytest.fixture(params=["ocr", "ocr-cpu"])
def service(request: pytest.FixtureRequest, compose: Any) -> Any:
    return compose["services"][request.param]


def test_compose_file_is_valid(compose: Any) -> None:
    PyCompose.from_json(json.dumps(compose))


def test_only_the_gpu_service_starts_by_default(compose: Any) -> None:
    services = compose["services"]
    assert {name: each.get("profiles") for name, each in services.items()} == {
        "ocr": None,
        "ocr-cpu": ["cpu"],
    }
    assert not any("depends_on" in each for each in services.values())


@pytest.mark.parametrize(("name", "target"), [("ocr", "gpu"), ("ocr-cpu", "cpu")])
def test_compose_images(compose: Any, name: str, target: str) -> None:
    service = compose["services"][name]
    assert service["image"] == f"paddleocr-vl-service:latest{SUFFIXES[target]}"
    assert service["build"] == {"context": "..", "target": target}
    assert service["platform"] == "linux/amd64"
    assert target in re.findall(r"^FROM \S+ AS (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)


def test_gpu_is_reserved_for_the_gpu_service_only(compose: Any) -> None:
    (gpu,) = compose["services"]["ocr"]["deploy"]["resources"]["reservations"]["devices"]
    assert gpu == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
    assert "deploy" not in compose["services"]["ocr-cpu"]


def test_compose_publishes_only_the_http_port(service: Any) -> None:
    port = start_script()["UVICORN_PORT"]
    assert service["ports"] == [f"{port}:{port}"]


def test_compose_environment_is_known_and_accepted(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = service["environment"]
    assert set(environment) <= known_variables()
    passed_on = {name for name, value in environment.items() if value is None}
    assert passed_on == S3_VARIABLES | KEYS
    written = {name: value for name, value in environment.items() if value is not None}
    expected = {"gpu": "paddleocr-vl", "cpu": "tesseract"}[service["build"]["target"]]
    assert load_settings(written).engine.choice == expected


def test_compose_container_is_hardened(service: Any) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc", "user", "devices"} & set(service)


def test_compose_container_has_its_writable_folders(service: Any, compose: Any) -> None:
    (tmp,) = service["tmpfs"]
    path, options = tmp.split(":")
    assert path == "/tmp"
    # Compiled kernels are loaded from this folder.
    assert "exec" in options.split(",")
    (volume,) = service["volumes"]
    name, path = volume.split(":")
    assert name in compose["volumes"]
    assert path == "/app/output"


def test_compose_grace_period_covers_the_shutdown(service: Any) -> None:
    written = {name: value for name, value in service["environment"].items() if value is not None}
    assert int(service["stop_grace_period"].removesuffix("s")) > seconds_to_stop(written)
    assert service["restart"] == "unless-stopped"
