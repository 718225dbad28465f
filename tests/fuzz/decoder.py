"""Decodes files in its own process and reports the outcome of each.

`python -m tests.fuzz.decoder FILE...`; if there are no arguments, files are read from standard input, each
after its length in four bytes.
"""

import asyncio
import faulthandler
import json
import logging
import resource
import sys
import time
import traceback
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

from ocr_service.core.errors import OcrError
from ocr_service.decoding.document import DECODERS
from ocr_service.decoding.limits import Limits
from ocr_service.decoding.opening import open_document
from ocr_service.telemetry import metrics

# Pages are small, so that slow or large ones stand out.
LIMITS = Limits(max_page_pixels=4_000_000, max_page_side=20_000)
_DPI = 72
_MOST_PAGES = 20

# Far above the memory of any page: the machine is protected, and a larger request is still a finding.
_ADDRESS_SPACE = 3 * 2**30


async def pages_of(data: bytes) -> str:
    """Decode every page as the service does; return the number of pages, or the error's code."""
    try:
        async with open_document(data, dpi=_DPI, mode="L", limits=LIMITS) as document:
            for index in range(1, min(document.page_count, _MOST_PAGES) + 1):
                try:
                    announced = await document.pixels(index)
                    page = await document.page(index)
                except OcrError as error:
                    _check(error)
                else:
                    _check_page(page.image.size, announced)
            return f"{document.page_count} pages"
    except OcrError as error:
        return _check(error)


def _check(error: OcrError) -> str:
    assert 400 <= error.status < 500, f"{type(error).__name__} is not an error of the document"
    # The response is UTF-8.
    error.detail.encode()
    return error.code


def _check_page(size: tuple[int, int], announced: int) -> None:
    """Check that a page is within the limits, and no larger than the pixels that were reserved for it."""
    assert size[0] * size[1] <= LIMITS.max_page_pixels and max(size) <= LIMITS.max_page_side, size
    assert size[0] * size[1] <= announced, (size, announced)


async def report(data: bytes) -> dict[str, object]:
    """Decode one file; report its outcome, duration and peak memory of the process that decodes."""
    before = {process.pid: _reset_peak(process.pid) for process in DECODERS.idle}
    died, began = _died(), time.perf_counter()
    try:
        outcome, trace = await pages_of(data), None
    except Exception as error:
        outcome, trace = type(error).__name__, traceback.format_exc()
    seconds = time.perf_counter() - began
    if _died() > died:
        outcome = "died"
    grown = [
        _memory_mib(process.pid, "VmHWM") - before[process.pid]
        for process in DECODERS.idle
        if process.pid in before
    ]
    return {"outcome": outcome, "trace": trace, "seconds": seconds, "mib": max(grown, default=0)}


def _died() -> float:
    """Return how many decoding processes crashed or exceeded a limit so far."""
    return metrics.REGISTRY.get_sample_value("ocr_decoders_lost_total", {"reason": "died"}) or 0


def _reset_peak(pid: int) -> float:
    """Start the measurement of the peak anew; return the memory now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return _memory_mib(pid, "VmRSS")


def _memory_mib(pid: int, name: str) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0]) / 1024


def _sent() -> Iterator[bytes]:
    while head := sys.stdin.buffer.read(4):
        yield sys.stdin.buffer.read(int.from_bytes(head, "big"))


async def _main(files: Iterable[bytes]) -> None:
    for data in files:
        print(json.dumps(await report(data)), flush=True)


if __name__ == "__main__":
    faulthandler.enable()
    # Pillow's warnings about broken files are ignored here.
    logging.disable()
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    asyncio.run(_main([Path(name).read_bytes() for name in sys.argv[1:]] or _sent()))
