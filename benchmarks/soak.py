"""Memory growth over thousands of pages of many sizes: resident memory after each batch."""

import io
import itertools
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
from PIL import Image

from benchmarks import Progress, say
from benchmarks.processes import peak_rss_mib, rss_mib
from benchmarks.vl_stage import models_and_vllm, service_on
from tests.running import FAST
from tests.samples import pdf_of_images
from tests.stand_ins.pages import A4_AT_200_DPI, crowded_page, text_page, various_pages

PAGES = 2000
BATCH = 200
WARM = 200
# Longer than the delay after which the service returns memory to the system.
REST_SECONDS = 7
CALLERS = 16
MOST_GROWTH = 0.05


def documents() -> list[tuple[bytes, int]]:
    """Make files of many kinds and sizes, with their numbers of pages."""
    images = list(various_pages(A4_AT_200_DPI).values())
    images += [text_page(12, seed, (1240 + 200 * seed, 1754 + 200 * seed)) for seed in range(8)]
    images.append(crowded_page(1))
    kinds = itertools.cycle(("JPEG", "PNG"))
    scans = [(_file(image, next(kinds)), 1) for image in images]
    return [*scans, (pdf_of_images(images[3:8], 200), 5), (_tiff(images[:4]), 4)]


def _file(image: Image.Image, kind: str) -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def _tiff(images: list[Image.Image]) -> bytes:
    file = io.BytesIO()
    # Copied, because saving as JPEG changes the settings inside an image.
    images = [image.copy() for image in images]
    images[0].save(file, "TIFF", save_all=True, append_images=images[1:])
    return file.getvalue()


def batch(source: Iterator[tuple[bytes, int]]) -> list[bytes]:
    """Take documents until they have a batch of pages."""
    chosen, pages = [], 0
    while pages < BATCH:
        data, count = next(source)
        chosen.append(data)
        pages += count
    return chosen


def main() -> None:
    """Send the pages and print the curve; if memory grew, the exit status is 1."""
    say("making the documents, starting the service")
    source = itertools.cycle(documents())
    resident: dict[int, float] = {}
    with (
        models_and_vllm(*FAST) as (models, vllm),
        service_on(models, vllm) as service,
        ThreadPoolExecutor(CALLERS) as callers,
    ):

        def read(data: bytes) -> int:
            with httpx.Client(base_url=service.url, timeout=600) as client:
                answer = client.post("/ocr", files={"file": data}).raise_for_status().json()
            return len(answer["pages"])

        print("| pages | resident MiB | peak MiB |\n|---|---|---|")
        read_so_far = 0
        progress = Progress("pages", PAGES)
        while read_so_far < PAGES:
            for count in callers.map(read, batch(source)):
                read_so_far += count
                progress.step(count)
            time.sleep(REST_SECONDS)
            resident[read_so_far] = rss_mib(service.process.pid)
            peak = peak_rss_mib(service.process.pid)
            print(f"| {read_so_far} | {resident[read_so_far]:.0f} | {peak:.0f} |", flush=True)
    warm = next(mib for pages, mib in resident.items() if pages >= WARM)
    growth = resident[read_so_far] / warm - 1
    print(f"\nfrom {WARM} to {read_so_far} pages: {growth:+.1%}")
    if growth > MOST_GROWTH:
        sys.exit(f"memory grew by more than {MOST_GROWTH:.0%}")


if __name__ == "__main__":
    main()
