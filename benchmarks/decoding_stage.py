"""Decodes documents with the code of the current folder, and prints seconds and CPU seconds a page as JSON.

`bench_decoding.py` runs it, also in the folder of another version: it uses only what both have.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable

from benchmarks.processes import cpu_seconds_of_tree
from ocr_service.core.documents import ImageMode
from ocr_service.decoding.limits import Limits
from ocr_service.decoding.opening import open_document
from ocr_service.runtime.memory import configure_malloc
from tests.samples import RUSSIAN, encoded, pdf_of_images, pdf_of_text, printed_page

LIMITS = Limits(100_000_000, max_page_side=32_767)
DPI: dict[ImageMode, int] = {"L": 300, "RGB": 144}
PAGES = 8


def text_pdf() -> bytes:
    """Pages with as many lines as a letter."""
    return pdf_of_text(
        ["\n".join(f"Line {number} of an ordinary letter, set in 11 points." for number in range(50))] * PAGES
    )


DOCUMENTS: dict[str, Callable[[], bytes]] = {
    "PDF of text": text_pdf,
    "PDF of scans": lambda: pdf_of_images([printed_page(RUSSIAN).image] * PAGES),
    "PNG": lambda: encoded(printed_page(RUSSIAN).image, "PNG", dpi=(300, 300)),
    "JPEG": lambda: encoded(printed_page(RUSSIAN).image.convert("RGB"), "JPEG", dpi=(300, 300)),
}


async def read(data: bytes, mode: ImageMode) -> int:
    """Decode all pages of a document, one after the other, as the pipeline does; return their number."""
    async with open_document(data, dpi=DPI[mode], mode=mode, limits=LIMITS) as document:
        for index in range(1, document.page_count + 1):
            await document.pixels(index)
            await document.page(index)
        return document.page_count


async def measure(data: bytes, mode: ImageMode, callers: int, seconds: float) -> dict[str, float]:
    """Let some callers decode the document again and again."""
    pages = 0
    until = 0.0

    async def call() -> None:
        nonlocal pages
        while time.perf_counter() < until:
            read_now = await read(data, mode)
            pages += read_now

    await asyncio.gather(*(read(data, mode) for _ in range(callers)))
    began, cpu = time.perf_counter(), cpu_seconds_of_tree(os.getpid())
    until = began + seconds
    await asyncio.gather(*(call() for _ in range(callers)))
    return {
        "wall": (time.perf_counter() - began) / pages,
        "cpu": (cpu_seconds_of_tree(os.getpid()) - cpu) / pages,
    }


async def main(name: str, mode: ImageMode, callers: str, seconds: str) -> None:
    """Measure one case."""
    configure_malloc()
    print(json.dumps(await measure(DOCUMENTS[name](), mode, int(callers), float(seconds))))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))  # type: ignore[arg-type]
