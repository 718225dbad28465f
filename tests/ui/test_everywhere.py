"""The page on phones, dark screens, by keyboard, for screen readers, in Russian, below a path of a proxy."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from ocr_service.storage.local import LocalStorage
from ocr_service.ui import FOLDER
from tests.fakes.written_engine import WrittenEngine
from tests.http.jobs import is_available
from tests.http.serving import serving
from tests.nginx import RunningNginx
from tests.postgresql import RunningPostgresql
from tests.samples import pdf_of_text
from tests.ui.conftest import Opened
from tests.ui.site import THREE_PAGES, Site, drop

pytestmark = pytest.mark.anyio

WIDE = "<table><tr>" + "".join(f"<td>column{number}</td>" for number in range(30)) + "</tr></table>"


async def violations(page: Page) -> list[str]:
    found = (await Axe().run(page)).response["violations"]
    return [f"{each['id']}: {node['html']}" for each in found for node in each["nodes"]]


async def with_result(site: Site, opened: Opened, **profile: object) -> Page:
    site.engine.write(1, ("doc_title", "# Title", "Title"), ("table", WIDE, WIDE), confidence=0.5)
    site.engine.open(2)
    page = await opened(site.url, **profile)
    await page.click("#options summary")
    await expect(page.locator("#fields")).not_to_be_empty()
    await drop(page, f"{'long-name-' * 12}.pdf", pdf_of_text(["one", "two"]))
    await expect(page.locator(".tools >> text=DOCX")).to_be_visible()
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing(site: Site, opened: Opened, scheme: str) -> None:
    page = await with_result(site, opened, color_scheme=scheme)
    assert not await violations(page)
    dark = await page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark")
    await page.evaluate("document.getElementById('key-dialog').showModal()")
    assert not await violations(page)


async def test_phone_needs_no_scrolling_to_the_side(site: Site, opened: Opened) -> None:
    page = await with_result(site, opened, viewport={"width": 390, "height": 844}, has_touch=True)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    assert not await violations(page)
    picture, text = page.locator(".page > .picture"), page.locator(".page-text")
    above, below = await picture.bounding_box(), await text.bounding_box()
    assert above and below and above["y"] + above["height"] <= below["y"]


async def test_keyboard_reaches_everything(site: Site, opened: Opened) -> None:
    page = await with_result(site, opened)
    await page.focus("nav.strip button")
    await page.keyboard.press("ArrowRight")
    await expect(page.locator(".page-text")).to_have_text("page 2")
    await page.focus("role=tab[name=Rendered]")
    await page.keyboard.press("ArrowRight")
    await expect(page.locator(".page-text pre")).to_have_text("**page 2**")
    await page.keyboard.press("ArrowLeft")
    await expect(page.locator(".page-text strong")).to_have_text("page 2")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.classList.contains('block')")
    await expect(page.locator(".page-text p")).to_have_class("lit")


async def test_russian_browser_gets_a_russian_page(site: Site, opened: Opened) -> None:
    page = await with_result(site, opened, locale="ru-RU")
    assert await page.get_attribute("html", "lang") == "ru"
    assert "Распознать документы" in await page.inner_text("main")
    assert not re.search(r"\b(Download|Search|Copy|Rendered)\b", await page.inner_text("main"))


async def test_both_languages_have_every_text(site: Site, opened: Opened) -> None:
    page = await opened(site.url)
    english, russian = [
        await page.evaluate(f"import('./texts/{name}.js').then((texts) => Object.keys(texts.{name.upper()}))")
        for name in ("en", "ru")
    ]
    assert set(english) == {name for name in russian if not name.startswith(("option_", "error_"))}
    sources = "".join(file.read_text() for file in FOLDER.rglob("*.*") if file.suffix in (".js", ".html"))
    used = set(re.findall(r'\bt\("(\w+)"|data-text="(\w+)"', sources))
    assert {one or other for one, other in used} <= set(english)


@asynccontextmanager
async def replicas(engine: WrittenEngine, folder: Path) -> AsyncIterator[list[str]]:
    """Serve two replicas with common jobs; yield their hosts and ports."""
    with RunningPostgresql() as postgresql:
        settings: dict[str, Any] = {"ocr_output_dir": folder, "ocr_jobs_url": postgresql.new_database()}
        storage = LocalStorage(folder)
        async with serving(engine, storage, **settings) as one, serving(engine, storage, **settings) as other:
            for client in (one, other):
                await is_available(client)
            yield [client.base_url.netloc.decode() for client in (one, other)]


async def test_page_works_with_replicas_below_a_path_of_a_proxy(opened: Opened, tmp_path: Path) -> None:
    engine, answered = WrittenEngine(), set()
    async with replicas(engine, tmp_path) as hosts:
        upstream = f"upstream replicas {{ server {hosts[0]}; server {hosts[1]}; }}"
        location = "location /tools/ocr/ { proxy_pass http://replicas/; add_header Replica $upstream_addr; }"
        with RunningNginx(tmp_path, f"{upstream} server {{ listen 80; {location} }}", "") as nginx:
            page = await opened(f"http://127.0.0.1:{nginx.port}/tools/ocr")
            page.on("response", lambda answer: answered.add(answer.headers.get("replica")))
            engine.open(1)
            await drop(page, "three.pdf", THREE_PAGES)
            await expect(page.locator(".page-text")).to_have_text("page 1")
            assert page.url.endswith("/tools/ocr/ui/")
            await page.click("#list [data-action=cancel]")
            await expect(page.locator("#list .state")).to_contain_text("cancelled")
            await page.reload()
            await expect(page.locator("#list .state")).to_contain_text("cancelled")
            assert set(hosts) <= answered


async def test_more_documents_than_connections_are_read(site: Site, opened: Opened) -> None:
    page = await opened(site.url)
    for number in range(7):
        await drop(page, f"{number}.pdf", THREE_PAGES)
    for index in (1, 2, 3):
        site.engine.open(index)
    await expect(page.locator("#list .done")).to_have_count(7)
