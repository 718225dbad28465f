"""Screenshots of the page for people, with the embedded Tesseract: `python -m scripts.screenshots`."""

import asyncio
import io
import tempfile
from pathlib import Path

from PIL import Image
from playwright.async_api import Browser, async_playwright

from tests.running import ROOT, RunningService
from tests.ui.site import chromium, drop

FOLDER = ROOT / "docs" / "images"
SCAN = ROOT / "examples" / "scan.jpg"
# The page has few colours, so a palette keeps the files below 150 KB.
COLORS = 128


async def _picture(browser: Browser, url: str, width: int, height: int, scheme: str, locale: str) -> bytes:
    page = await browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        locale=locale,
    )
    await page.goto(f"{url}/")
    await drop(page, SCAN.name, SCAN.read_bytes(), "image/jpeg")
    await page.click(".tools >> text=DOCX", trial=True)
    await page.hover(".block.kind-list")
    return await page.screenshot()


def _save(png: bytes, name: str) -> None:
    image = Image.open(io.BytesIO(png)).convert("RGB").quantize(COLORS)
    FOLDER.mkdir(exist_ok=True)
    image.save(FOLDER / name, optimize=True)
    print(f"{name}: {(FOLDER / name).stat().st_size // 1000} KB")


async def _take(url: str) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), chromium_sandbox=False)
        _save(await _picture(browser, url, 1200, 1000, "light", "en-US"), "ui.png")
        _save(await _picture(browser, url, 390, 844, "dark", "ru-RU"), "ui-phone.png")


def main() -> None:
    """Take both and write them into docs/images."""
    with tempfile.TemporaryDirectory() as folder, RunningService(OCR_OUTPUT_DIR=str(Path(folder))) as service:
        asyncio.run(_take(service.url))


if __name__ == "__main__":
    main()
