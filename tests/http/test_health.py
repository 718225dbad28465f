import asyncio
import re
from typing import Any

import pytest

from ocr_service import __version__
from ocr_service.core.engine import EngineState
from ocr_service.engines.lazy_start import LazyStart
from tests.fakes.absent_engine import AbsentEngine
from tests.fakes.gated_engine import GatedEngine
from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.serving import serving
from tests.samples import pdf_of_text

pytestmark = pytest.mark.anyio

S3: dict[str, Any] = {
    "cloudru_s3_endpoint": "https://s3.cloud.ru",
    "cloudru_s3_bucket": "scans",
    "cloudru_s3_access_key": "tenant:key",
    "cloudru_s3_secret_key": "not-a-real-secret",
}


async def test_health_has_the_fields_that_the_platform_reads() -> None:
    async with serving(ScriptedEngine()) as client:
        response = await client.get("/health")
    assert response.status_code == 200
    answer = response.json()
    assert answer.pop("uptime_seconds") >= 0
    assert answer.pop("recent_pages") == {
        "state": "unknown",
        "pages": 0,
        "bad_share": None,
        "failed_pages": 0,
        "confidence": None,
        "warnings": {},
    }
    assert answer == {
        "status": "healthy",
        "paddleocr": "not_initialized",
        "vllm": "disabled",
        "s3_storage": "not_configured",
        "storage": {"kind": None, "state": "disabled", "error": None, "missing": [], "spool": None},
        "engine": "scripted",
        "engine_state": "ready",
        "engine_version": "1.2.3",
        "version": __version__,
    }


class _PaddleOcr(ScriptedEngine):
    name = "paddleocr-vl"


@pytest.mark.parametrize("state", list(EngineState))
async def test_health_is_200_in_every_state_of_paddleocr(state: EngineState) -> None:
    engine = _PaddleOcr()
    engine.state = state
    async with serving(engine) as client:
        response = await client.get("/health")
    assert response.status_code == 200
    assert response.json()["paddleocr"] == state.value


async def test_health_is_200_without_an_engine() -> None:
    async with serving(AbsentEngine()) as client:
        response = await client.get("/health")
    assert (response.status_code, response.json()["engine_state"]) == (200, "unavailable")


async def test_health_shows_the_storage_without_its_secrets() -> None:
    async with serving(ScriptedEngine(), **S3) as client:
        response = await client.get("/health")
    assert response.json()["s3_storage"] == "configured"
    assert "tenant" not in response.text and "secret" not in response.text


async def test_storage_with_a_missing_setting_is_not_configured() -> None:
    async with serving(ScriptedEngine(), **{**S3, "cloudru_s3_bucket": None}) as client:
        response = await client.get("/health")
    assert response.json()["s3_storage"] == "not_configured"
    assert response.json()["storage"]["missing"] == ["CLOUDRU_S3_BUCKET"]


async def test_health_responds_while_all_slots_are_taken() -> None:
    """All slots are taken and requests wait; `/health` responds before a page is done."""
    engine = GatedEngine()
    async with serving(engine) as client:
        files = {"file": pdf_of_text(["a"] * 10)}
        reading = [asyncio.create_task(client.post("/ocr", files=files)) for _ in range(8)]
        for _ in range(engine.max_pages_in_flight):
            await engine.entered.get()
        response = await client.get("/health")
        assert response.status_code == 200
        assert not engine.seen
        for index in range(1, 11):
            engine.open(index)
        assert {(await one).status_code for one in reading} == {200}


class _SlowToStart(ScriptedEngine):
    """An engine that starts slowly, as models load slowly."""

    starts_early = True

    def __init__(self) -> None:
        super().__init__()
        self.let_start = asyncio.Event()
        self.starting = LazyStart(self.title, self._build)

    async def start(self) -> None:
        await self.starting.ensure()
        self.state = self.starting.state

    async def _build(self) -> None:
        self.state = EngineState.INITIALIZING
        await self.let_start.wait()


async def test_health_responds_while_the_engine_starts() -> None:
    engine = _SlowToStart()
    async with serving(engine) as client:
        reading = asyncio.create_task(client.post("/ocr", files={"file": pdf_of_text(["a"])}))
        response = await client.get("/health")
        assert (response.status_code, response.json()["engine_state"]) == (200, "initializing")
        engine.let_start.set()
        assert (await reading).status_code == 200


async def test_head_request_is_answered() -> None:
    async with serving(ScriptedEngine()) as client:
        response = await client.head("/health")
    assert (response.status_code, response.text) == (200, "")


async def test_version_is_reported() -> None:
    async with serving(ScriptedEngine()) as client:
        response = await client.get("/version")
    assert response.json() == {
        "version": __version__,
        "engine": {"name": "scripted", "version": "1.2.3"},
    }


async def test_root_redirects_to_the_page_without_external_assets() -> None:
    async with serving(ScriptedEngine()) as client:
        response = await client.get("/", follow_redirects=True)
        assert response.url.path == "/ui/"
        script = await client.get("/static-offline-docs/swagger-ui-bundle.js")
    addresses = re.findall(r'(?:src|href)="([^"]+)"', response.text)
    assert addresses and not [address for address in addresses if "//" in address]
    assert script.status_code == 200
