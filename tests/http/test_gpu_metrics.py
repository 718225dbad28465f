"""GPU metrics, from the real pynvml with a stand-in for the NVIDIA library, and without a GPU."""

import asyncio
from collections.abc import Callable

import httpx
import pynvml
import pytest

from tests.deploy.prometheus import promtool
from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.scraping import Scrape, scrape
from tests.http.serving import serving
from tests.stand_ins.nvml import StandInGpu, StandInNvml

pytestmark = pytest.mark.anyio

NAMES = ("utilization_ratio", "memory_used_bytes", "memory_size_bytes")
Install = Callable[[StandInNvml | None], None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Replace the library that pynvml has loaded."""

    def install(library: StandInNvml | None) -> None:
        monkeypatch.setattr(pynvml, "nvmlLib", library)
        monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})

    return install


async def gpus_seen() -> list[dict[tuple[str, ...], float]]:
    async with serving(ScriptedEngine()) as client:
        seen = await scrape_with_gpus(client)
    return [dict(seen.of(f"ocr_gpu_{name}")) for name in NAMES]


async def scrape_with_gpus(client: httpx.AsyncClient) -> Scrape:
    """Scrape until the driver has answered; a scrape waits for it for a second only."""
    async with asyncio.timeout(120):
        while not (seen := await scrape(client)).of("ocr_gpu_memory_used_bytes"):
            await asyncio.sleep(0.02)
    return seen


async def test_each_gpu_has_utilization_and_memory(install: Install) -> None:
    install(StandInNvml(StandInGpu(87, 11 * 2**30, 80 * 2**30), StandInGpu(0, 5, 24 * 2**30)))
    assert await gpus_seen() == [
        {("0",): 0.87, ("1",): 0.0},
        {("0",): 11 * 2**30, ("1",): 5},
        {("0",): 80 * 2**30, ("1",): 24 * 2**30},
    ]


async def test_metrics_pass_promtool(install: Install) -> None:
    install(StandInNvml(StandInGpu(1, 2, 3)))
    async with serving(ScriptedEngine()) as client:
        checked = promtool("check", "metrics", given=(await scrape_with_gpus(client)).text)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


async def test_values_that_the_driver_does_not_report_are_omitted(install: Install) -> None:
    install(StandInNvml(StandInGpu(None, 1, 2), StandInGpu(lost=True), StandInGpu(50, 3, 4)))
    assert await gpus_seen() == [{("2",): 0.5}, {("0",): 1, ("2",): 3}, {("0",): 2, ("2",): 4}]


async def test_driver_that_appears_later_is_used(install: Install) -> None:
    library = StandInNvml(StandInGpu(1, 2, 3))
    install(library)
    library.started = pynvml.NVML_ERROR_DRIVER_NOT_LOADED
    async with serving(ScriptedEngine()) as client:
        assert not (await scrape(client)).of("ocr_gpu_memory_used_bytes")
        library.started = pynvml.NVML_SUCCESS
        assert (await scrape_with_gpus(client)).of("ocr_gpu_memory_used_bytes") == {("0",): 2}


async def test_hanging_driver_does_not_block_the_scrape(install: Install) -> None:
    library = StandInNvml(StandInGpu(1, 2, 3))
    install(library)
    library.answers.clear()
    async with serving(ScriptedEngine()) as client:
        async with asyncio.timeout(120):
            for _ in range(2):
                assert not (await scrape(client)).of("ocr_gpu_memory_used_bytes")
        library.answers.set()
        assert (await scrape_with_gpus(client)).of("ocr_gpu_memory_used_bytes") == {("0",): 2}


async def test_without_a_driver_there_are_no_gpu_metrics(install: Install) -> None:
    install(None)
    async with serving(ScriptedEngine()) as client:
        seen = await scrape(client)
    assert not any(seen.of(f"ocr_gpu_{name}") for name in NAMES)
