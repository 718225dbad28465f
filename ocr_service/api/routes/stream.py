"""The answer of `/ocr` as a stream of NDJSON: a line for each page, as soon as it is read."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, aclosing
from typing import TypeVar

from fastapi import Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from ocr_service.api.answers.document import EngineAnswer, PageAnswer, TimingsAnswer
from ocr_service.api.answers.problems import Problem
from ocr_service.api.answers.storage import StorageAnswer
from ocr_service.api.answers.stream_events import (
    EndEvent,
    ErrorEvent,
    PageEvent,
    StartEvent,
    StreamEvent,
    to_line,
)
from ocr_service.api.answers.warnings import DocumentWarningAnswer
from ocr_service.api.reading import Received, record_pages, store
from ocr_service.api.requests.accept import NDJSON
from ocr_service.core.documents import DocumentResult, PageQuality, PageResult, Timings
from ocr_service.core.errors import OcrError, RequestError
from ocr_service.core.quality import mean_confidence
from ocr_service.pipeline.reading import Reading
from ocr_service.telemetry.request_context import request_id

# Gateways end a connection that is silent for a minute, or less.
_SILENT_SECONDS = 15.0
_BLANK = "\n"
# Proxies such as nginx would hold small lines back.
_NOT_BUFFERED = {"X-Accel-Buffering": "no"}

T = TypeVar("T")


async def open_stream(received: Received, headers: Mapping[str, str], owned: AsyncExitStack) -> Response:
    """Open the document before the answer starts, so that an error in it has its own status.

    owned: closed at the end of the answer, or when the client disconnects.
    """
    if received.fields.restructure_pages:
        raise RequestError(
            "restructure_pages needs all pages at once, so it cannot be streamed. Accept JSON instead."
        )
    began = time.perf_counter()
    reading = await owned.enter_async_context(received.service.pipeline.reader.open(received.wanted))
    lines = _Stream(received, reading, began).lines()
    await owned.enter_async_context(aclosing(lines))
    return _OwningStream(lines, headers, owned.pop_all())


class _OwningStream(StreamingResponse):
    """A streaming answer that closes its sources, even if the client disconnects before the first line."""

    def __init__(self, lines: AsyncGenerator[str], headers: Mapping[str, str], stack: AsyncExitStack) -> None:
        super().__init__(lines, 200, {**headers, **_NOT_BUFFERED}, NDJSON)
        self._stack = stack

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._stack:
            await super().__call__(scope, receive, send)


class _Stream:
    """The events of one document. Pages are held in memory only if the result is stored at the end.

    began: before the document was opened, on the clock of time.perf_counter.
    """

    def __init__(self, received: Received, reading: Reading, began: float) -> None:
        self._received = received
        self._reading = reading
        self._began = began
        self._timings = Timings(decode=reading.decode)
        self._quality: list[PageQuality] = []
        self._to_store: list[PageResult] = []

    async def lines(self) -> AsyncGenerator[str]:
        """Yield the events as lines of NDJSON, and a blank line whenever there was none for some seconds."""
        async with aclosing(self._events()) as events:
            async for event in _or_none(events, _SILENT_SECONDS):
                yield _BLANK if event is None else await asyncio.to_thread(to_line, event)

    async def _events(self) -> AsyncGenerator[StreamEvent]:
        yield StartEvent(
            request_id=request_id.get(),
            engine=EngineAnswer.of(self._received.service.pipeline.engine),
            page_count=len(self._reading.pages),
            cached=self._reading.cached,
        )
        visit = self._received.admitted.visit
        try:
            async with aclosing(visit.each(self._reading.results)) as pages_in_time:
                async for page in pages_in_time:
                    yield await self._page(page)
        except OcrError as error:
            yield ErrorEvent(problem=Problem.of(error, request_id.get()))
        else:
            yield await self._end()
        finally:
            record_pages(self._quality, self._timings, self._reading.cached)

    async def _page(self, page: PageResult) -> PageEvent:
        self._quality.append(page.quality)
        self._timings += page.timings
        # In a thread, because images are encoded in base64.
        answer = await asyncio.to_thread(PageAnswer.of, page, self._received.fields.images)
        if self._received.is_stored:
            self._to_store.append(page)
        return PageEvent(page=answer)

    async def _end(self) -> EndEvent:
        total = time.perf_counter() - self._began
        pages = sorted(self._to_store, key=lambda page: page.index)
        result = DocumentResult(tuple(pages), self._timings, total)
        stored = await store(self._received, result)
        return EndEvent(
            failed_pages=sorted(page.index for page in self._quality if page.failed),
            confidence=mean_confidence(self._quality),
            warnings=DocumentWarningAnswer.all_of(self._quality),
            timings=TimingsAnswer.of(self._timings, total),
            storage=StorageAnswer.of(stored),
        )


async def _or_none(items: AsyncGenerator[T], seconds: float) -> AsyncGenerator[T | None]:
    """Yield the items, and None whenever there was none for so many seconds."""
    while True:
        waiting = asyncio.ensure_future(anext(items))
        try:
            while not (await asyncio.wait((waiting,), timeout=seconds))[0]:
                yield None
            item = waiting.result()
        except StopAsyncIteration:
            return
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        yield item
