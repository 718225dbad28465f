"""Damaged files of every format sent to the real service: each gets a response, and the process survives."""

import sys
from collections.abc import Iterator

import httpx
import pytest

from tests.fuzz.mutations import CORPUS, try_mutated
from tests.running import NO_CERTIFICATES, RunningProgram

# Fixed, so that the test is reproducible; `make fuzz` tries other seeds.
SEED = 1
FILES = 200

SERVICE = [sys.executable, "-m", "uvicorn", "tests.fakes.scripted_service:app", "--port", "0"]


@pytest.fixture(scope="module")
def service() -> Iterator[RunningProgram]:
    settings = {"OCR_CACHE_LIFETIME": "0", "OCR_MAX_PAGE_MEGAPIXELS": "4"}
    with RunningProgram(SERVICE, **settings) as running:
        yield running


# The code that decodes a BMP decodes a DIB, too.
@pytest.mark.parametrize("format_name", [name for name in CORPUS if name != "DIB"])
def test_damaged_files_get_a_response(service: RunningProgram, format_name: str) -> None:
    outcomes = set()
    with httpx.Client(base_url=service.url, timeout=300, verify=NO_CERTIFICATES) as client:

        def send(data: bytes) -> None:
            response = client.post("/ocr", files={"file": data})
            assert response.status_code in (200, 415, 422), response.text
            if response.status_code == 200:
                assert {page["error"]["code"] for page in response.json()["pages"] if page["error"]} <= {
                    "broken_document",
                    "too_many_pixels",
                }
            outcomes.add(response.status_code)

        try_mutated(format_name, SEED, FILES, send)
        assert client.get("/health").status_code == 200
    assert {200, 422} <= outcomes, "some files must be refused and some must still be readable"
    assert service.process.poll() is None
