import io
import logging
import re
from collections.abc import Iterator

import pytest

from ocr_service.logs import configure_logging
from tests.fakes.faulty_engine import FaultyEngine
from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.serving import serving
from tests.samples import pdf_of_text, small_png

pytestmark = pytest.mark.anyio


async def test_id_is_taken_over() -> None:
    async with serving(ScriptedEngine()) as client:
        response = await client.post(
            "/ocr", files={"file": small_png()}, headers={"X-Request-ID": "order-17.a"}
        )
    assert response.headers["x-request-id"] == "order-17.a"
    assert response.json()["request_id"] == "order-17.a"


@pytest.mark.parametrize("given", [b"a b", b"x" * 200, b"../../etc", "день".encode(), b""])
async def test_id_that_could_do_harm_is_replaced(given: bytes) -> None:
    async with serving(ScriptedEngine()) as client:
        response = await client.get("/version", headers=[(b"X-Request-ID", given)])
    assert re.fullmatch(r"[0-9a-f]{32}", response.headers["x-request-id"])


async def test_every_request_gets_its_own() -> None:
    async with serving(ScriptedEngine()) as client:
        ids = {(await client.get("/version")).headers["x-request-id"] for _ in range(5)}
    assert len(ids) == 5


@pytest.fixture
def log_lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What the service writes to standard error, with its own logging configured as in production."""
    names = (None, "uvicorn", "uvicorn.error", "uvicorn.access")
    before = [
        (logging.getLogger(n), logging.getLogger(n).handlers[:], logging.getLogger(n).level) for n in names
    ]
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    configure_logging("info")
    yield written
    logging.captureWarnings(False)
    for logger, handlers, level in before:
        logger.handlers[:], logger.disabled = handlers, False
        logger.setLevel(level)


async def test_id_is_in_every_log_line_of_its_request(log_lines: io.StringIO) -> None:
    async with serving(FaultyEngine({2: KeyError("fault")})) as client:
        headers = {"X-Request-ID": "follow-me"}
        await client.post("/ocr", files={"file": pdf_of_text(["a"] * 3)}, headers=headers)
    lines = [line for line in log_lines.getvalue().splitlines() if re.match(r"\d{4}-", line)]
    of_request = [line for line in lines if "page 2 failed" in line or "POST /ocr" in line]
    assert len(of_request) == 2
    assert all("[follow-me]" in line for line in of_request)
    assert re.search(r"POST /ocr 200 \d+ ms", of_request[1])


async def test_path_cannot_forge_a_log_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "ocr_service.access")
    async with serving(ScriptedEngine()) as client:
        await client.get("/a%0A2026-01-01 forged")
    assert [r.getMessage().count("\n") for r in caplog.records if r.name == "ocr_service.access"] == [0]


async def test_health_checks_are_quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with serving(ScriptedEngine()) as client:
        await client.get("/health")
    assert not [r for r in caplog.records if r.name == "ocr_service.access"]
