import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest

from ocr_service.telemetry.logs import configure_logging
from tests.fakes.faulty_engine import FaultyEngine
from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.serving import serving
from tests.running import ROOT
from tests.samples import pdf_of_text, small_png

pytestmark = pytest.mark.anyio


async def test_request_id_of_the_client_is_used() -> None:
    async with serving(ScriptedEngine()) as client:
        response = await client.post(
            "/ocr", files={"file": small_png()}, headers={"X-Request-ID": "order-17.a"}
        )
    assert response.headers["x-request-id"] == "order-17.a"
    assert response.json()["request_id"] == "order-17.a"


@pytest.mark.parametrize("given", [b"a b", b"x" * 200, b"../../etc", "день".encode(), b""])
async def test_unsafe_request_id_is_replaced(given: bytes) -> None:
    async with serving(ScriptedEngine()) as client:
        response = await client.get("/version", headers=[(b"X-Request-ID", given)])
    assert re.fullmatch(r"[0-9a-f]{32}", response.headers["x-request-id"])


TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize("parent", [f"00-{TRACE}-{SPAN}-00", f"01-{TRACE}-{SPAN}-01-and-more"])
async def test_trace_id_of_the_client_is_the_request_id(parent: str) -> None:
    async with serving(ScriptedEngine()) as client:
        traced = {"traceparent": parent}
        response = await client.get("/version", headers=traced)
        given = await client.get("/version", headers={**traced, "X-Request-ID": "order-17"})
    assert response.headers["x-request-id"] == TRACE
    assert given.headers["x-request-id"] == "order-17"


@pytest.mark.parametrize(
    "parents",
    [
        [f"00-{TRACE}-{SPAN}-00-and-more"],
        [f"ff-{TRACE}-{SPAN}-00"],
        [f"00-{TRACE.upper()}-{SPAN}-00"],
        [f"00-{'0' * 32}-{SPAN}-00"],
        [f"00-{TRACE}-{'0' * 16}-00"],
        [f"00-{TRACE}-{SPAN}"],
        [f"00-{TRACE}-{SPAN}-00"] * 2,
        [""],
    ],
)
async def test_invalid_traceparent_is_ignored(parents: list[str]) -> None:
    async with serving(ScriptedEngine()) as client:
        response = await client.get("/version", headers=[("traceparent", parent) for parent in parents])
    made = response.headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{32}", made) and made not in (TRACE, "0" * 32)


async def test_every_request_gets_its_own_id() -> None:
    async with serving(ScriptedEngine()) as client:
        ids = {(await client.get("/version")).headers["x-request-id"] for _ in range(5)}
    assert len(ids) == 5


@pytest.fixture
def log_lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Standard error of the service, with logging configured as in production."""
    names = (None, "uvicorn", "uvicorn.error", "uvicorn.access")
    before = [
        (logging.getLogger(n), logging.getLogger(n).handlers[:], logging.getLogger(n).level) for n in names
    ]
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    configure_logging("info", "json")
    yield written
    logging.captureWarnings(False)
    for logger, handlers, level in before:
        logger.handlers[:], logger.disabled = handlers, False
        logger.setLevel(level)


def parsed(written: io.StringIO) -> list[dict[str, Any]]:
    """Parse each line as JSON; any other line is an error."""
    return [json.loads(line) for line in written.getvalue().splitlines()]


async def test_request_id_is_in_every_log_line_of_the_request(log_lines: io.StringIO) -> None:
    async with serving(FaultyEngine({2: KeyError("fault")})) as client:
        headers = {"X-Request-ID": "follow-me"}
        await client.post("/ocr", files={"file": pdf_of_text(["a"] * 3)}, headers=headers)
    failed, line = [line for line in parsed(log_lines) if line.get("request_id") == "follow-me"]
    assert failed["message"] == "page 2 failed unexpectedly"
    assert re.fullmatch(r"POST /ocr 200 \d+ ms", line["message"])


async def test_message_of_an_unexpected_error_is_not_logged(log_lines: io.StringIO) -> None:
    """The message may quote the text of the page."""
    async with serving(FaultyEngine({1: ValueError("Сверхсекретно")})) as client:
        await client.post("/ocr", files={"file": small_png()})
    (failed,) = [line for line in parsed(log_lines) if "exception" in line]
    assert failed["exception"].splitlines()[-1] == "ValueError"
    assert "recognize" in failed["exception"] and "Сверх" not in failed["exception"]


async def test_access_log_has_the_request_and_its_result(log_lines: io.StringIO) -> None:
    async with serving(ScriptedEngine(), ocr_api_keys="first-key") as client:
        await client.post("/ocr?pages=1&api_key=hidden", headers={"X-API-Key": "first-key"})
        await client.get("/nowhere/else?token=hidden", headers={"Authorization": "Bearer hidden"})
    read, lost = [line for line in parsed(log_lines) if line["logger"] == "ocr_service.access"]
    names = ("method", "path", "route", "status")
    assert [read[name] for name in names] == ["POST", "/ocr", "/ocr", 422]
    assert read["duration_ms"] > 0 and "pages" not in read
    assert (lost["method"], lost["path"], lost["route"], lost["status"]) == (
        "GET",
        "/nowhere/else",
        "other",
        401,
    )
    assert "hidden" not in log_lines.getvalue() and "first-key" not in log_lines.getvalue()


async def test_documented_log_line_has_the_fields_of_the_code(log_lines: io.StringIO) -> None:
    (shown,) = re.findall(r'^\{"time".*\}$', (ROOT / "docs/operations.md").read_text(), re.MULTILINE)
    async with serving(ScriptedEngine()) as client:
        await client.post("/ocr", files={"file": small_png()})
    (line,) = [line for line in parsed(log_lines) if line["logger"] == "ocr_service.access"]
    assert list(line) == list(json.loads(shown))


async def test_path_cannot_forge_or_flood_the_log(log_lines: io.StringIO) -> None:
    async with serving(ScriptedEngine()) as client:
        await client.get("/a%0A%7B%22forged%22%3A1%7D%E2%80%A8%1B[2J" + "x" * 7_000)
    (line,) = [line for line in parsed(log_lines) if line["logger"] == "ocr_service.access"]
    assert line["path"].startswith('/a\n{"forged":1}') and len(line["path"]) == 256


async def test_health_checks_are_not_logged(log_lines: io.StringIO) -> None:
    async with serving(ScriptedEngine()) as client:
        for path in ("/health", "/health/live", "/health/ready", "/health/vllm", "/metrics", "/version"):
            await client.get(path)
    lines = [line for line in parsed(log_lines) if line["logger"] == "ocr_service.access"]
    assert [line["path"] for line in lines] == ["/version"]
