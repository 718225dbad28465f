"""The documented nginx configuration, tested with a real nginx in front of the real service."""

import re
import time
from collections.abc import Iterator

import httpx
import pytest

from ocr_service.config import variables
from scripts.settings_tables import shown
from tests.docs.pages import DOCS, Page
from tests.nginx import RunningNginx
from tests.running import NO_CERTIFICATES, RunningService
from tests.samples import pdf_of_images, printed_page, small_png

DEFAULTS = {
    name: shown(field.default).strip("`") for group in variables().values() for name, field in group.items()
}
MIB = 2**20

[SNIPPET] = [block.text for block in Page(DOCS / "operations.md").blocks if block.language == "nginx"]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = str(tmp_path_factory.mktemp("results"))
    with RunningService(OCR_TESSERACT_THREADS="1", OCR_OUTPUT_DIR=folder) as running:
        yield running


@pytest.fixture(scope="module")
def client(service: RunningService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with (
        RunningNginx(tmp_path_factory.mktemp("nginx"), SNIPPET, service.url) as nginx,
        httpx.Client(
            base_url=f"http://127.0.0.1:{nginx.port}", timeout=120, verify=NO_CERTIFICATES
        ) as client,
    ):
        yield client


def test_document_larger_than_the_default_of_nginx_is_read(client: httpx.Client) -> None:
    response = client.post("/ocr", files={"file": small_png() + bytes(5 * MIB)})
    assert response.status_code == 200, response.text


def test_service_itself_refuses_a_file_above_its_limit(client: httpx.Client) -> None:
    too_large = (int(DEFAULTS["OCR_MAX_UPLOAD_MB"]) + 1) * MIB
    response = client.post("/ocr", files={"file": small_png() + bytes(too_large)})
    assert (response.status_code, response.json()["code"]) == (413, "too_many_bytes")


def test_lines_of_a_stream_arrive_before_the_document_is_done(
    client: httpx.Client, service: RunningService
) -> None:
    page = printed_page(["A line of text."], size=(620, 877)).image
    document = pdf_of_images([page] * 30, dpi=150)
    with client.stream(
        "POST", "/ocr", files={"file": document}, headers={"Accept": "application/x-ndjson"}
    ) as response:
        # A blank line tells that the service is busy.
        lines = filter(None, response.iter_lines())
        assert '"event":"start"' in next(lines)
        assert '"event":"page"' in next(lines)
        assert "\nocr_requests_in_flight 1.0\n" in service.client.get("/metrics").text
        assert len(list(lines)) == 30


def test_limits_of_nginx_are_above_those_of_the_service() -> None:
    def number(directive: str) -> int:
        found = re.search(rf"{directive} (\d+)[ms];", SNIPPET)
        assert found
        return int(found[1])

    # Base64 in JSON is a third longer than the file.
    assert number("client_max_body_size") > int(DEFAULTS["OCR_MAX_UPLOAD_MB"]) * 4 / 3
    assert number("proxy_read_timeout") > float(DEFAULTS["OCR_REQUEST_TIMEOUT"])


def test_addresses_of_results_lead_through_nginx(client: httpx.Client, service: RunningService) -> None:
    service.wait_for("jobs are available")
    sent = client.post(
        "/api/v2/ocr/jobs", files={"file": small_png()}, data={"model": "PP-OCRv6"}
    ).raise_for_status()
    address = f"/api/v2/ocr/jobs/{sent.json()['data']['jobId']}"
    while (job := client.get(address).raise_for_status().json()["data"])["state"] in ("pending", "running"):
        time.sleep(0.1)
    result = job["resultUrl"]["jsonUrl"]
    assert result.startswith(f"{client.base_url}/api/v2/ocr/results/")
    assert client.get(result).status_code == 200
