"""The whole service with a real store: its responses, health and log, and no secret in any of them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.running import ROOT, RunningProgram, RunningService
from tests.s3.stores import ACCESS_KEY, SECRET_KEY, Store, wait_until

SCAN = ROOT / "examples" / "scan.jpg"


@pytest.fixture(scope="module")
def running(over_http: Store) -> Iterator[RunningService]:
    with RunningService(**over_http.settings, OCR_STORE_TIMEOUT="120", OCR_LOG_LEVEL="debug") as service:
        yield service


def read(service: RunningService, **fields: str) -> dict[str, Any]:
    with SCAN.open("rb") as file:
        answer = service.client.post("/ocr", files={"file": ("скан.jpg", file)}, data=fields)
    document: dict[str, Any] = answer.raise_for_status().json()
    return document


def storage_health(service: RunningProgram) -> dict[str, Any]:
    health: dict[str, Any] = service.get("/health").json()["storage"]
    return health


def test_stored_files_can_be_fetched_by_their_urls(running: RunningService) -> None:
    answer = read(running, store_source="true")
    storage = answer.pop("storage")
    fetched = {
        file["key"].removeprefix(storage["folder"]): httpx.get(file["url"], timeout=120)
        for file in storage["files"]
    }
    assert json.loads(fetched["result.json"].content) == answer
    assert fetched["result.md"].text == answer["markdown"]
    assert fetched["source/скан.jpg"].content == SCAN.read_bytes()
    types = {name: response.headers["content-type"] for name, response in fetched.items()}
    assert types == {
        "result.json": "application/json; charset=utf-8",
        "result.md": "text/markdown; charset=utf-8",
        "source/скан.jpg": "image/jpeg",
    }
    metadata = fetched["result.json"].headers
    assert metadata["x-amz-meta-engine"] == "tesseract"
    assert re.fullmatch("[0-9a-f]{64}", metadata["x-amz-meta-source-sha256"])


@pytest.mark.parametrize("page", ["docs/storage.md", "docs/ru/storage.md"])
def test_documented_response_has_the_actual_form(running: RunningService, page: str) -> None:
    blocks = re.findall(r"^```json\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    [shown] = [block for block in map(json.loads, blocks) if block.get("kind") == "s3"]
    assert shape(read(running)["storage"]) == shape(shown)


def shape(value: Any) -> Any:
    """Keep names and types, and the values that are equal for all stores."""
    if isinstance(value, dict):
        return {name: shape(part) for name, part in value.items()}
    if isinstance(value, list):
        return [shape(part) for part in value]
    is_word = isinstance(value, str) and not re.search("[/?]", value)
    return value if is_word else type(value)


def test_health_reports_a_working_store(running: RunningService) -> None:
    wait_until(lambda: storage_health(running)["state"] == "ready", "the store is known")
    assert running.client.get("/health").json()["s3_storage"] == "configured"


def test_no_secret_is_in_log_health_or_documentation(running: RunningService) -> None:
    read(running)
    shown = (
        running.client.get("/health").text + running.client.get("/openapi.json").text + "".join(running.log)
    )
    for secret in (ACCESS_KEY, SECRET_KEY, ACCESS_KEY.replace(":", "%3A"), "X-Amz-Signature=", "Signature="):
        assert secret not in shown


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"CLOUDRU_S3_SECRET_KEY": "wrong-secret"}, "the secret key does not match"),
        ({"CLOUDRU_S3_BUCKET": "no-such-bucket"}, "there is no such bucket"),
    ],
    ids=["secret", "bucket"],
)
def test_wrong_settings_are_reported_at_start(over_http: Store, wrong: dict[str, str], message: str) -> None:
    with RunningService(**{**over_http.settings, **wrong}) as service:
        wait_until(lambda: storage_health(service)["state"] == "refused", "the store is known")
        assert message in storage_health(service)["error"]
        service.wait_for(f"ERROR.*storage refused.*{message}")
        answer = read(service)
        assert (answer["storage"]["status"], answer["text"] != "") == ("failed", True)
        assert "wrong-secret" not in "".join(service.log)


def test_incomplete_settings_are_reported_and_the_service_starts(over_http: Store, tmp_path: Path) -> None:
    some = {name: value for name, value in over_http.settings.items() if not name.endswith("_SECRET_KEY")}
    with RunningService(**some, OCR_OUTPUT_DIR=str(tmp_path)) as service:
        service.wait_for("ERROR.*object storage is not used: CLOUDRU_S3_SECRET_KEY missing")
        health = service.client.get("/health").json()
        assert (health["status"], health["s3_storage"]) == ("healthy", "not_configured")
        assert health["storage"]["missing"] == ["CLOUDRU_S3_SECRET_KEY"]
        assert read(service)["storage"]["kind"] == "local"
