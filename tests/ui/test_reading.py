"""Reading documents on the page: pages as they come, the result, its files."""

import io
import json
import zipfile

import pytest
from playwright.async_api import Page, expect

from ocr_service.core.documents import PageWarning, WarningCode
from ocr_service.core.errors import RecognitionFailed
from tests.fakes.written_engine import WrittenEngine
from tests.http.serving import serving
from tests.samples import pdf_of_text, small_png
from tests.ui.conftest import Opened
from tests.ui.site import THREE_PAGES, Site, drop, paste

pytestmark = pytest.mark.anyio

TABLE = "<table><tr><td>Бумага</td><td>120</td></tr></table>"


async def test_pages_of_a_dropped_pdf_are_shown_as_they_are_read(site: Site, opened: Opened) -> None:
    page = await opened(site.url)
    await drop(page, "three.pdf", THREE_PAGES)
    site.engine.write(
        1, ("doc_title", "# Contract", "Contract"), ("text", "The first page.", "The first page.")
    )
    await expect(page.locator(".page-text h1")).to_have_text("Contract")
    await expect(page.locator("#list .state")).to_have_text("reading · 1 of 3 pages")
    assert await page.get_attribute("#list progress", "value") == "1"
    assert await page.locator("nav.strip button").all_inner_texts() == ["1"]
    site.engine.open(2)
    site.engine.open(3)
    await expect(page.locator("#list .state")).to_have_text("done · 3 of 3 pages")
    await page.click("nav.strip >> text=3")
    await expect(page.locator(".page-text strong")).to_have_text("page 3")
    assert await page.locator(".picture svg image").count() == 1


async def test_pages_that_are_passed_quickly_are_not_fetched(site: Site, opened: Opened) -> None:
    for index in (1, 2, 3):
        site.engine.open(index)
    page = await opened(site.url)
    await drop(page, "three.pdf", THREE_PAGES)
    await expect(page.locator(".page-text")).to_have_text("page 1")
    await expect(page.locator("nav.strip button")).to_have_text(["1", "2", "3"])
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    press = "document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true }));"
    await page.evaluate(2 * press)
    await expect(page.locator(".page-text")).to_have_text("page 3")
    assert not [url for url in asked if "/pages/2" in url]


async def test_block_and_its_text_light_each_other(site: Site, opened: Opened) -> None:
    site.engine.write(
        1,
        ("doc_title", "# Contract", "Contract"),
        ("table", TABLE, TABLE),
        ("list", "- one\n- two", "- one\n- two"),
    )
    page = await opened(site.url)
    await drop(page, "one.pdf", pdf_of_text(["one"]))
    await page.hover(".block.kind-table")
    await expect(page.locator(".page-text table")).to_have_class("lit")
    await page.hover(".page-text ul")
    await expect(page.locator(".block.kind-list")).to_have_class("block kind-list lit")
    await expect(page.locator(".page-text table")).not_to_have_class("lit")
    assert await page.locator(".legend li").all_inner_texts() == ["doc_title", "table", "list"]


async def test_faults_of_a_page_are_seen(site: Site, opened: Opened) -> None:
    warning = PageWarning(WarningCode.LOW_CONFIDENCE, "The page is blurred.")
    site.engine.write(1, ("text", "Text", "Text"), warnings=(warning,), confidence=0.41)
    site.engine.write(2, failure=RecognitionFailed("Page 2 was not read."))
    page = await opened(site.url)
    await drop(page, "two.pdf", pdf_of_text(["one", "two"]))
    await expect(page.locator(".notes .warning")).to_have_text("The page is blurred.")
    assert "41 %" in await page.inner_text(".notes")
    await page.click("nav.strip >> text=2")
    await expect(page.locator(".notes .error")).to_have_text("Page 2 was not read.")
    await expect(page.locator("#list .state")).to_have_text("done · 2 of 2 pages · 1 with errors")


async def test_forms_of_the_text_and_search(site: Site, opened: Opened) -> None:
    site.engine.write(1, ("doc_title", "# Contract", "Contract"))
    site.engine.write(2, ("text", "Paper and\n*ink*", "Paper and\nink"))
    page = await opened(site.url)
    await drop(page, "two.pdf", pdf_of_text(["one", "two"]))
    await expect(page.locator("#list .state")).to_contain_text("done")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.locator("[type=search]").press_sequentially("AND INK")
    await expect(page.locator(".tools [role=status]")).to_have_text("Pages with the text: 2")
    assert len([url for url in asked if "/result" in url]) == 1
    await expect(page.locator(".page-text em")).to_have_text("ink")
    assert await page.evaluate("CSS.highlights.get('found').size") == 1
    await page.click("role=tab[name=Markdown]")
    await expect(page.locator(".page-text pre")).to_have_text("Paper and\n*ink*")
    await page.click("role=tab[name=JSON]")
    await expect(page.locator(".page-text pre")).to_contain_text('"index": 2')
    await page.fill("[type=search]", "[nothing")
    await expect(page.locator(".tools [role=status]")).to_have_text("No page has this text.")


async def saved(page: Page, button: str) -> tuple[str, bytes]:
    async with page.expect_download() as download:
        await page.click(f".tools >> text={button}")
    file = await download.value
    return file.suggested_filename, (await file.path()).read_bytes()


async def test_result_is_saved_in_every_form_of_the_api(site: Site, opened: Opened) -> None:
    picture = small_png()
    site.engine.write(1, ("image", "![](imgs/a.jpg)", ""), images={"imgs/a.jpg": picture})
    page = await opened(site.url)
    await drop(page, "my scan.pdf", pdf_of_text(["one"]))
    await expect(page.locator(".tools >> text=DOCX")).to_be_visible()
    name, archive = await saved(page, "Markdown")
    assert name == "my scan.zip"
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        assert files.testzip() is None
        assert {each: files.read(each) for each in files.namelist()} == {
            "result.md": b"![](imgs/a.jpg)",
            "imgs/a.jpg": picture,
        }
    name, text = await saved(page, "JSON")
    assert (name, json.loads(text)["pages"][0]["index"]) == ("my scan.json", 1)
    name, word = await saved(page, "DOCX")
    assert name == "my scan.docx" and zipfile.is_zipfile(io.BytesIO(word))
    offered = await page.locator(".tools .row button").all_inner_texts()
    assert offered == ["JSON", "Markdown", "TXT", "HTML", "DOCX", "PDF", "PDF/A"]


async def test_pasted_picture_and_address_are_read(site: Site, opened: Opened) -> None:
    site.engine.open(1)
    page = await opened(site.url)
    await paste(page, "image.png", small_png(), "image/png")
    await expect(page.locator(".page-text")).to_contain_text("page 1")
    await page.fill("#address", "http://127.0.0.1:9/scan.png")
    await page.keyboard.press("Enter")
    await expect(page.locator("#list .note.error")).to_contain_text("OCR_URL_PORTS")


async def test_options_are_those_of_the_engine(site: Site, opened: Opened) -> None:
    site.engine.open(2)
    page = await opened(site.url)
    await page.click("#options summary")
    await page.fill("#option-pages", "2")
    names = await page.locator("#fields [name]").evaluate_all("all => all.map((each) => each.name)")
    assert {"pages", "lang", "text_layer", "markdown_ignore_labels", "password"} <= set(names)
    assert not {"rotate", "layout_nms", "format", "timeout"} & set(names)
    await drop(page, "three.pdf", THREE_PAGES)
    await expect(page.locator("#list .state")).to_have_text("done · 1 of 1 pages")
    await expect(page.locator(".page-text")).to_have_text("page 2")


async def test_own_jobs_are_there_after_a_reload(site: Site, opened: Opened) -> None:
    site.engine.open(1)
    page, other = await opened(site.url), await opened(site.url)
    await drop(page, "kept.pdf", pdf_of_text(["one"]))
    await expect(page.locator("#list .state")).to_contain_text("done")
    await page.reload()
    await page.click("text=kept.pdf")
    await expect(page.locator(".page-text")).to_have_text("page 1")
    await page.click("text=Delete")
    await expect(page.locator("#documents")).to_be_hidden()
    await page.reload()
    await expect(page.locator("#engine")).to_contain_text("scripted")
    assert await page.locator("#list li").count() == await other.locator("#list li").count() == 0


async def test_own_job_is_there_after_many_jobs_of_others(site: Site, opened: Opened) -> None:
    site.engine.open(1)
    page = await opened(site.url)
    await drop(page, "kept.pdf", pdf_of_text(["one"]))
    await expect(page.locator("#list .state")).to_contain_text("done")
    own = json.loads(await page.evaluate("localStorage['ocr-jobs']"))
    await page.evaluate("(ids) => (localStorage['ocr-jobs'] = ids)", json.dumps(["gone", *own]))
    for _ in range(20):
        # Its other pages wait, so it is cancelled and stays in the list; a job that is done would be deleted.
        job = await site.client.post("/jobs", files={"file": ("other.pdf", THREE_PAGES)})
        await site.client.delete(f"/jobs/{job.json()['id']}")
    await page.reload()
    await expect(page.locator("#list .name")).to_have_text(["kept.pdf"])
    assert "gone" not in await page.evaluate("localStorage['ocr-jobs']")


async def test_service_without_jobs_streams(opened: Opened) -> None:
    engine = WrittenEngine()
    async with serving(engine) as client:
        page = await opened(client.base_url)
        await drop(page, "scan.png", small_png(), "image/png")
        await expect(page.locator("#list .state")).to_contain_text("reading")
        engine.write(1, ("text", "**Bold**", "Bold"))
        await expect(page.locator(".page-text strong")).to_have_text("Bold")
        assert await page.locator(".picture svg image").count() == 1
        assert (await saved(page, "TXT")) == ("scan.txt", b"Bold")
