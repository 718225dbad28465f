"""Memory use for documents that are large, or small and large when decoded."""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest
from PIL import Image

from benchmarks.processes import memory_of_tree_mib
from tests.running import NO_CERTIFICATES, RunningService
from tests.samples import ENGLISH, encoded, pdf_of_images, pdf_with_pictures, printed_page, small_png

BOUND_MIB = 2048

# Settings for a machine with little memory: the pixels of a page take up to 25 bytes each.
FOR_TWO_GIB = {
    "OCR_MAX_PAGE_MEGAPIXELS": "60",
    "OCR_MAX_MEGAPIXELS_IN_FLIGHT": "60",
    "OCR_MAX_DOCUMENTS_MB": "192",
    "OCR_LANG": "eng",
    # On a busy machine, the last page waits long.
    "OCR_REQUEST_TIMEOUT": "600",
}

LARGE = (8000, 7500)


def page(size: tuple[int, int], mode: str = "L") -> Image.Image:
    """A page with a few lines of text in its corner, which is fast to read."""
    image = Image.new("L", size, 255)
    image.paste(printed_page(ENGLISH[:2]).image.crop((0, 0, 2480, 700)), (100, 100))
    return image.convert(mode)


def documents() -> dict[str, bytes]:
    """Files of tens of megabytes, and small files that decode to as many."""
    scan, rgb = page((3000, 3000)), page(LARGE, "RGB")
    # Some programs store previews and histories in such chunks.
    behind = bytes(40_000_000)
    return {
        "PNG": encoded(page(LARGE), "PNG", compress_level=1) + behind,
        "PNG with transparency": encoded(page(LARGE, "RGBA"), "PNG", compress_level=1) + behind,
        "JPEG": encoded(rgb, "JPEG") + behind,
        "WebP": encoded(rgb, "WEBP", method=0) + behind,
        "TIFF of four pages": encoded(scan, "TIFF", save_all=True, append_images=[scan] * 3),
        "BMP": encoded(page((6700, 6700)), "BMP"),
        "PDF of one large picture": pdf_of_images([rgb], dpi=900),
        "PDF of many large pictures": pdf_with_pictures(20, side=7000),
    }


@contextmanager
def watched_memory(service: RunningService) -> Iterator[list[float]]:
    """Collect the memory of the service and of its decoding processes, in MiB, again and again."""
    seen: list[float] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.1):
            seen.append(memory_of_tree_mib(service.process.pid))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield seen
    finally:
        ended.set()
        watching.join()


def sent_together(url: str, files: Mapping[str, bytes]) -> Counter[tuple[str, int, str | None]]:
    """Send each file twice, all in parallel; count the answers by file, status and code."""
    # The PDFs are small, so they arrive and are admitted before the others.
    names = [*files, *files]

    def send(name: str) -> tuple[str, int, str | None]:
        with httpx.Client(base_url=url, timeout=600, verify=NO_CERTIFICATES) as client:
            answer = client.post("/ocr", files={"file": files[name]})
        return name, answer.status_code, answer.json().get("code")

    with ThreadPoolExecutor(len(names)) as callers:
        return Counter(callers.map(send, names))


@pytest.mark.timeout(600)
def test_requests_beyond_the_memory_limit_are_refused() -> None:
    with RunningService(**FOR_TWO_GIB) as service:
        with watched_memory(service) as memory:
            answers = sent_together(service.url, documents())
        outcomes = {(status, code) for _, status, code in answers}
        assert outcomes == {(200, None), (503, "overloaded")}
        assert max(memory) < BOUND_MIB
        assert service.client.post("/ocr", files={"file": small_png()}).status_code == 200


def test_pdf_page_decodes_few_of_its_pictures_at_a_time() -> None:
    """Together the pictures have 980 MB."""
    with RunningService() as service:
        with watched_memory(service) as memory:
            response = service.client.post("/ocr", files={"file": pdf_with_pictures(20, side=7000)})
        assert response.status_code == 200
        assert max(memory) < 500
