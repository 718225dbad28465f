"""Pages → results, by Tesseract in worker processes."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from ocr_service.core.documents import Page, PageResult, Timings
from ocr_service.core.errors import EngineUnavailable, RecognitionFailed
from ocr_service.core.options import Options
from ocr_service.core.turns import UNKNOWN, Caller
from ocr_service.engines.tesseract.requests import AskVersion, ReadPage
from ocr_service.runtime.processes.fork_server import ForkServer
from ocr_service.runtime.processes.frames import InvalidReply
from ocr_service.runtime.processes.jobs import Job, Subject
from ocr_service.runtime.processes.single_lane import SingleLane
from ocr_service.runtime.processes.worker_process import NotStarted, WorkerEnded

# CPU time of a new process, which has everything loaded.
_START_SECONDS = 10.0
# CPU time after the time limit of the page, within which Tesseract ends by itself and says so.
_SECONDS_TO_END = 5.0
_MIB = 2**20
# Memory of a process: for the code and the languages, and for each pixel of the page. The pages that were
# measured needed up to 200 MiB and 16 bytes a pixel, with their straightened pictures.
_BASE_BYTES = 512 * _MIB
_BYTES_A_PIXEL = 32


class PageReader:
    """Reads pages in processes that have loaded Tesseract; they start with the first call.

    tessdata: folder with the language data. lang: languages that are loaded at the start.
    at_once: number of processes. page_seconds: time limit of one page.
    """

    def __init__(self, tessdata: Path, lang: str, at_once: int, page_seconds: float) -> None:
        server = ForkServer("ocr_service.engines.tesseract.worker", str(tessdata), lang)
        self._processes = SingleLane(server, at_once, classes_from=("ocr_service.core.",))
        self._page_seconds = page_seconds

    async def version(self) -> str:
        """Return the version of Tesseract; raises EngineUnavailable if it does not work."""
        try:
            return str(await self._ask(b"", AskVersion(), _START_SECONDS, UNKNOWN))
        except WorkerEnded as error:
            raise EngineUnavailable("Tesseract crashes at its start.") from error

    async def read(self, page: Page, lang: str, options: Options) -> PageResult:
        """Read a page; raises RecognitionFailed or EngineUnavailable.

        If the caller is cancelled, Tesseract is stopped, and another page can use its place.
        """
        began = time.perf_counter()
        pixels = await asyncio.to_thread(page.image.tobytes)
        request = ReadPage(page.index, page.image.size, page.resolution, lang, options, self._page_seconds)
        caller = page.caller
        # The memory of the image can take the next page.
        del page
        try:
            result: PageResult = await self._ask(pixels, request, request.seconds + _SECONDS_TO_END, caller)
        except (WorkerEnded, InvalidReply) as error:
            raise RecognitionFailed(
                f"Tesseract could not read page {request.index} within the limits of time and memory, or it "
                "crashed."
            ) from error
        spent = result.timings.recognize
        return replace(result, timings=Timings(queue=time.perf_counter() - began - spent, recognize=spent))

    def stop(self) -> None:
        """End all processes; blocks for a moment."""
        self._processes.stop()

    async def _ask(self, pixels: bytes, request: object, seconds: float, caller: Caller) -> Any:
        """Return the reply of a process, which then has no pixels any more."""
        subject = Subject(pixels, caller)
        try:
            job = Job(subject, request, seconds)
            return (await self._processes.run(job, _BASE_BYTES + _BYTES_A_PIXEL * len(pixels))).reply
        except NotStarted as error:
            raise EngineUnavailable(
                "Tesseract could not be started; the reason is on standard error."
            ) from error
        finally:
            self._processes.forget(subject)
