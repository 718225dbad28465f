"""The page when something is wrong: keys, broken files, a service that is away, hostile documents."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from tests.exports.test_html import HOSTILE
from tests.fakes.written_engine import WrittenEngine
from tests.http.jobs import is_available
from tests.http.serving import serving
from tests.running import free_port
from tests.samples import pdf_of_text
from tests.ui.conftest import Opened
from tests.ui.site import THREE_PAGES, Site, drop

pytestmark = pytest.mark.anyio

# Files that the browser has, although the page was not told.
_ADD_INPUT = """() => {
  const input = Object.assign(document.createElement("input"), { id: "held", type: "file", multiple: true });
  document.body.append(input);
}"""
_DROP_HELD = """() => {
  const dataTransfer = new DataTransfer();
  for (const file of document.getElementById("held").files) dataTransfer.items.add(file);
  document.getElementById("drop").dispatchEvent(new DragEvent("drop", { bubbles: true, dataTransfer }));
}"""
KEYS: dict[str, Any] = {"ocr_api_keys": "first-key"}


async def test_cancel_ends_the_job(site: Site, opened: Opened) -> None:
    page = await opened(site.url)
    await drop(page, "three.pdf", THREE_PAGES)
    site.engine.open(1)
    await expect(page.locator("#list .state")).to_have_text("reading · 1 of 3 pages")
    await page.click("#list >> text=Cancel")
    await expect(page.locator("#list .state")).to_contain_text("cancelled")
    assert await site.engine.cancelled.get() in (2, 3)
    assert await page.locator("#list progress").count() == 0


async def test_broken_file_says_why(site: Site, opened: Opened) -> None:
    page = await opened(site.url)
    await drop(page, "broken.pdf", THREE_PAGES[:200])
    await expect(page.locator("#list .note.error")).to_contain_text("PDF")
    await expect(page.locator("#list .state")).to_have_text("failed")
    await page.click("#list >> text=Try again")
    await expect(page.locator("#list .note.error")).to_contain_text("PDF")
    assert await page.locator("#list li").count() == 1


async def test_files_that_the_browser_cannot_read_say_so(site: Site, opened: Opened, tmp_path: Path) -> None:
    """They hold up no other document: at most three are sent at a time."""
    site.engine.open(1)
    page = await opened(site.url)
    files = [tmp_path / f"deleted{number}.pdf" for number in range(4)]
    for file in files:
        file.write_bytes(THREE_PAGES)
    await page.evaluate(_ADD_INPUT)
    await page.set_input_files("#held", files)
    for file in files:
        file.unlink()
    await page.evaluate(_DROP_HELD)
    await expect(page.locator("#list .note.error", has_text="deleted after it was chosen")).to_have_count(4)
    await drop(page, "one.pdf", pdf_of_text(["one"]))
    await expect(page.locator("#list li").first.locator(".state")).to_contain_text("done")


async def test_wrong_key_is_asked_for_again(opened: Opened, tmp_path: Path) -> None:
    engine = WrittenEngine()
    async with serving(engine, ocr_output_dir=tmp_path, **KEYS) as client:
        client.headers["X-API-Key"] = "first-key"
        await is_available(client)
        page = await opened(client.base_url)
        await page.fill("#key-value", "wrong-key")
        await page.keyboard.press("Enter")
        await expect(page.locator("#key-refused")).to_have_text("The service refused this key.")
        await page.fill("#key-value", "ключ")
        await page.keyboard.press("Enter")
        await expect(page.locator("#key-refused")).to_contain_text("Latin letters")
        await page.fill("#key-value", "first-key")
        await page.keyboard.press("Enter")
        await expect(page.locator("dialog")).to_be_hidden()
        engine.open(1)
        await drop(page, "one.pdf", pdf_of_text(["one"]))
        await expect(page.locator(".page-text")).to_have_text("page 1")
        assert "first-key" not in await page.evaluate(
            "JSON.stringify(localStorage) + document.cookie + location"
        )
        await page.click("#key")
        await expect(page.locator("#key-refused")).to_be_hidden()
        other = await page.context.new_page()
        await other.goto(f"{client.base_url}/")
        await expect(other.locator("dialog")).to_be_visible()


@pytest.fixture
def _survivor() -> Iterator[None]:
    """Ignore the SIGTERM that uvicorn raises again after its shutdown."""
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("_survivor")
async def test_job_goes_on_when_the_service_comes_back(opened: Opened, tmp_path: Path) -> None:
    port, engine = free_port(), WrittenEngine()
    async with serving(engine, ocr_output_dir=tmp_path, port=port) as client:
        await is_available(client)
        page = await opened(client.base_url)
        await drop(page, "kept.pdf", THREE_PAGES)
        await drop(page, "cancelled.pdf", THREE_PAGES)
        engine.open(1)
        kept, cancelled = [page.locator("#list li", has_text=name) for name in ("kept.pdf", "cancelled.pdf")]
        for each in (kept, cancelled):
            await expect(each.locator(".state")).to_have_text("reading · 1 of 3 pages")
        os.kill(os.getpid(), signal.SIGTERM)
    for each in (kept, cancelled):
        await expect(each.locator(".note.warning")).to_contain_text("cannot be reached")
    await cancelled.locator("[data-action=cancel]").click()
    engine.open(2)
    async with serving(engine, ocr_output_dir=tmp_path, port=port):
        await expect(cancelled.locator(".state")).to_contain_text("cancelled")
        engine.open(3)
        await expect(kept.locator(".state")).to_have_text("done · 3 of 3 pages")
        await kept.locator(".name").click()
        await page.click("nav.strip >> text=3")
        await expect(page.locator(".page-text")).to_have_text("page 3")


async def test_hostile_document_runs_nothing(site: Site, opened: Opened) -> None:
    """The guard of the page fails the test if a dialog opens or a request leaves."""
    site.engine.write(1, *[("text", text, text) for text in HOSTILE])
    page = await opened(site.url)
    name = "<img src=x onerror=alert(1)>.pdf"
    await drop(page, name, pdf_of_text(["one"]))
    await expect(page.locator("#list .state")).to_contain_text("done")
    for tab in ("Markdown", "Text", "JSON", "Rendered"):
        await page.click(f"role=tab[name={tab}]")
        await expect(page.locator(".page-text")).to_contain_text("alert(1)")
    await page.fill("[type=search]", "<script>alert(1)</script>")
    await expect(page.locator(".tools [role=status]")).to_contain_text("1")
    assert await page.inner_text("#viewer-title") == name
    assert await page.locator(".page-text :is(script, iframe, svg, form, object)").count() == 0
    assert await page.evaluate("document.scripts.length") == 1
