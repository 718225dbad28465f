"""A document's pages as a stream, each as soon as it is done: lines of JSON (NDJSON)."""

import asyncio
import re
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from ocr_service.admission.admission import Visit
from ocr_service.api.answers.document import EngineAnswer, PageAnswer, StorageAnswer, TimingsAnswer
from ocr_service.api.answers.problems import Problem
from ocr_service.api.answers.stream_events import (
    EndEvent,
    ErrorEvent,
    PageEvent,
    StartEvent,
    StreamEvent,
    to_line,
)
from ocr_service.api.keeping import keep
from ocr_service.api.reading import Asked, result_json_of
from ocr_service.api.requests.ocr_fields import OcrFields
from ocr_service.api.visiting import note_pages
from ocr_service.core.documents import DocumentResult, PageResult, Timings
from ocr_service.core.errors import OcrError, RequestError
from ocr_service.pipeline.page_reading import Reading
from ocr_service.storage.parcels import Kept
from ocr_service.telemetry.request_context import request_id

NDJSON = "application/x-ndjson"

# A weight of zero in an Accept header says "not this" (RFC 9110, 12.4.2).
_REFUSED = re.compile(r"q=0(\.0*)?")


def wants_stream(request: Request, fields: OcrFields) -> bool:
    """Say whether the caller takes the pages one by one."""
    return fields.format == "json" and any(map(_is_ndjson, request.headers.get("accept", "").split(",")))


def _is_ndjson(media_range: str) -> bool:
    media_type, *parameters = (part.strip().lower() for part in media_range.split(";"))
    refused = any(_REFUSED.fullmatch(parameter) for parameter in parameters)
    return media_type == NDJSON and not refused


async def open_stream(asked: Asked, visit: Visit, owned: AsyncExitStack) -> Response:
    """Open the document before the answer starts, so that what is wrong with it has its own status.

    owned: what the answer closes at its end, also when its caller leaves before.
    """
    if asked.fields.recognition.restructure_pages:
        raise RequestError("restructure_pages looks at all pages together: ask for JSON, not for a stream.")
    began = time.perf_counter()
    reading = await owned.enter_async_context(asked.service.pipeline.reading(asked.job))
    lines = _Stream(asked, visit, began).lines(reading)
    await owned.enter_async_context(aclosing(lines))
    return _OwningStream(lines, owned.pop_all())


class _OwningStream(StreamingResponse):
    """A stream that closes what it reads from, also when its caller leaves before the first line."""

    def __init__(self, lines: AsyncGenerator[str], stack: AsyncExitStack) -> None:
        super().__init__(lines, media_type=NDJSON)
        self._stack = stack

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._stack:
            await super().__call__(scope, receive, send)


class _Stream:
    """One document's events; its pages are kept only where they are stored in the end."""

    def __init__(self, asked: Asked, visit: Visit, began: float) -> None:
        self._asked = asked
        self._visit = visit
        self._began = began

    async def lines(self, reading: Reading) -> AsyncGenerator[str]:
        """Yield the events as lines of NDJSON."""
        async with aclosing(self._events(reading)) as events:
            async for event in events:
                yield await asyncio.to_thread(to_line, event)

    async def _events(self, reading: Reading) -> AsyncGenerator[StreamEvent]:
        engine = EngineAnswer.of(self._asked.service.pipeline.engine)
        yield StartEvent(
            request_id=request_id.get(),
            engine=engine,
            page_count=len(reading.pages),
            cached=reading.cached,
        )
        timings = Timings(decode=reading.decode)
        done, failed = 0, list[int]()
        finished: list[PageResult] = []
        try:
            async with (
                aclosing(reading.results()) as pages,
                aclosing(self._visit.each(pages)) as pages_in_time,
            ):
                async for page in pages_in_time:
                    done += 1
                    timings += page.timings
                    # In a thread, as below: pictures become base64.
                    answer = await asyncio.to_thread(PageAnswer.of, page, self._asked.fields.images)
                    if answer.error:
                        failed.append(page.index)
                    if self._asked.is_kept:
                        finished.append(page)
                    yield PageEvent(page=answer)
        except OcrError as error:
            yield ErrorEvent(problem=Problem.of(error, request_id.get()))
        else:
            total = time.perf_counter() - self._began
            kept = await self._kept(finished, timings, total)
            yield EndEvent(
                failed_pages=sorted(failed),
                timings=TimingsAnswer.of(timings, total),
                storage=StorageAnswer.of(kept),
            )
        finally:
            note_pages(done, len(failed), timings, reading.cached)

    async def _kept(self, pages: list[PageResult], timings: Timings, total: float) -> Kept:
        pages.sort(key=lambda page: page.index)
        result = DocumentResult(tuple(pages), timings, total)
        return await keep(self._asked, result, result_json_of(self._asked, result))
