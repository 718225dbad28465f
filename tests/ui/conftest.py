"""One Chromium for all tests of the page, and one service for most of them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.fakes.written_engine import WrittenEngine
from tests.http.jobs import is_available
from tests.http.serving import serving
from tests.ui.site import Guard, Site, chromium

# Milliseconds. A machine that does other things as well may need more than the 30 seconds of Playwright.
_PATIENCE = 120_000
expect.set_options(timeout=_PATIENCE)


@pytest.fixture(scope="package")
def anyio_backend() -> str:
    """For all tests here, so that they share the loop of the browser; the later tests each have their own."""
    return "asyncio"


@pytest.fixture(scope="package")
async def browser() -> AsyncIterator[Browser]:
    # Without its sandbox, which root cannot use, and which a container seldom allows.
    async with async_playwright() as playwright:
        yield await playwright.chromium.launch(
            executable_path=chromium(), chromium_sandbox=False, timeout=_PATIENCE
        )


Opened = Callable[..., Awaitable[Page]]


@pytest.fixture
async def opened(browser: Browser) -> AsyncIterator[Opened]:
    """Open the page at an address in a new profile; at the end, nothing ran and nothing else was loaded."""
    guards: list[Guard] = []

    async def open_at(url: object, **profile: object) -> Page:
        context = await browser.new_context(**{"locale": "en-US", **profile})  # type: ignore[arg-type]
        context.set_default_timeout(_PATIENCE)
        page = await context.new_page()
        guards.append(Guard(page, str(url)))
        await page.goto(f"{url}/")
        return page

    yield open_at
    for guard in guards:
        await guard.page.context.close()
        guard.check()


@pytest.fixture(scope="package")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    engine = WrittenEngine()
    folder: Path = tmp_path_factory.mktemp("jobs")
    async with serving(engine, ocr_output_dir=folder) as client:
        await is_available(client)
        yield Site(engine, str(client.base_url).rstrip("/"), client)


@pytest.fixture
def site(shared: Site) -> Site:
    """The shared service, with an engine whose gates are shut."""
    shared.engine.gates.clear()
    shared.engine.pages.clear()
    return shared
