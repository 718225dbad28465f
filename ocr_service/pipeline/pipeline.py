"""The pipeline: it makes the requests of its reader."""

import asyncio
import hashlib
import importlib.metadata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache

from ocr_service import __version__
from ocr_service.admission.admission import Admission
from ocr_service.core.documents import PageResult
from ocr_service.core.engine import Engine
from ocr_service.core.errors import EngineError
from ocr_service.core.options import Options
from ocr_service.core.turns import UNKNOWN, Caller
from ocr_service.decoding.font_files import FontFiles
from ocr_service.decoding.limits import Limits
from ocr_service.decoding.opening import check_images
from ocr_service.pipeline.cache import ResultCache, result_key
from ocr_service.pipeline.caching_reader import CachingReader
from ocr_service.pipeline.page_reader import PageReader
from ocr_service.pipeline.page_selection import refuse_too_many
from ocr_service.pipeline.reading import Reader, ReadRequest
from ocr_service.pipeline.recent_pages import RecentPages
from ocr_service.pipeline.resuming_reader import ResumingReader


class Pipeline:
    """All stages between a route and the engine; one instance for the service.

    admission: hands out the page slots. max_pages, max_job_pages: page limits of a request and of a job.
    pdf_dpi: resolution for PDF pages; None for the resolution that the engine prefers.
    cache: None if results are not cached. limits: of a page.
    """

    def __init__(
        self,
        engine: Engine,
        limits: Limits,
        admission: Admission,
        max_pages: int,
        max_job_pages: int,
        pdf_dpi: int | None = None,
        cache: ResultCache | None = None,
    ) -> None:
        self.engine = engine
        self.cache = cache
        self.recent = RecentPages()
        self.limits = limits
        self._max_pages, self._max_job_pages = max_pages, max_job_pages
        self._dpi = pdf_dpi or engine.resolution
        self._page_reader = PageReader(engine, admission, limits, self._dpi, self.recent)
        self.reader: Reader = self._page_reader
        if cache:
            self.reader = CachingReader(ResumingReader(self._page_reader, cache, engine), cache)

    async def request(
        self,
        data: bytes,
        pages: str | None,
        options: Options,
        cached: bool = True,
        shared: bool = True,
        caller: Caller = UNKNOWN,
        password: str | None = None,
    ) -> ReadRequest:
        """Return the request to read a document; if its result can be cached, with its keys.

        Equal requests for equal documents have the same key until the service, the engine, the models or the
        settings change. cached: False for a request without keys. caller: uses only results of the same
        owner, unless all callers share theirs. password: of a PDF.
        """
        sha256 = await asyncio.to_thread(_sha256, data)
        max_pages = self._max_job_pages if caller.is_job else self._max_pages
        request = ReadRequest(
            data, sha256, pages, options, max_pages, shared=shared, caller=caller, password=password
        )
        if self.engine.starts_early:
            # Its fingerprint is not known before, and the first results would not be cached.
            with suppress(EngineError):
                await self.engine.start()
        fingerprint = self.engine.fingerprint
        if not cached or self.cache is None or fingerprint is None or not options.repeatable:
            return request
        depends_on = {
            "service": __version__,
            "engine": [self.engine.name, fingerprint],
            "decoding": [self._dpi, self.limits, self._max_pages, _decoders()],
            "request": [options, password],
            "caller": "" if self.cache.shared else caller.owner,
        }
        return replace(
            request,
            key=result_key(sha256, {**depends_on, "pages": pages}),
            pages_key=result_key(sha256, depends_on),
        )

    async def selected_pages(self, request: ReadRequest) -> Sequence[int]:
        """Return the numbers of the pages that would be read; raises OcrError if they cannot be."""
        return await self._page_reader.selected_pages(request)

    async def picture(self, data: bytes, number: int, caller: Caller) -> bytes:
        """Return a page of a document as a JPEG file; waits for a slot. Raises OcrError."""
        request = await self.request(data, str(number), Options(), cached=False, caller=caller)
        return await self._page_reader.picture(request, number)

    def check_count(self, pages: int) -> None:
        """Raise TooManyPages for a document with so many pages."""
        refuse_too_many(pages, self._max_pages)

    async def restructure(self, pages: Sequence[PageResult], options: Options) -> Sequence[PageResult]:
        """Restructure the pages of a document that was read before, perhaps elsewhere; raises OcrError."""
        if not pages:
            return pages
        pictures = [picture for page in pages for picture in page.images.values()]
        await check_images(pictures, self.limits)
        await self.engine.start()
        self.engine.check(options)
        return await self.engine.restructure(pages, options)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@cache
def _decoders() -> list[str]:
    """Return the versions of the libraries that decode pages, and of the fonts."""
    libraries = [importlib.metadata.version(name) for name in ("pillow", "pillow-heif", "pypdfium2")]
    return libraries + FontFiles().versions
