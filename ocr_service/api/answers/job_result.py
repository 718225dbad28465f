"""The result of a job, page by page: the pictures of its pages are never in memory together."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from ocr_service.api.answers.document import EngineAnswer, TimingsAnswer
from ocr_service.api.answers.result_json import AnswerOf, ResultWriter
from ocr_service.api.answers.storage import StorageAnswer
from ocr_service.api.answers.stream_events import EndEvent, PageEvent, StartEvent, to_line
from ocr_service.api.answers.warnings import DocumentWarningAnswer
from ocr_service.core.documents import DocumentResult, PageResult, Timings
from ocr_service.core.engine import Engine
from ocr_service.core.quality import mean_confidence
from ocr_service.jobs.job import Job, JobEngine
from ocr_service.runtime.memory import joined
from ocr_service.storage.bundles import DISABLED

Pages = AsyncGenerator[PageResult]


def job_result(job: Job, pages: Sequence[PageResult]) -> DocumentResult:
    """Return the result of a job that has these pages."""
    timings = sum((page.timings for page in pages), start=Timings())
    return DocumentResult(tuple(pages), timings, _total(job))


async def text_pages(pages: Pages) -> Sequence[PageResult]:
    """Return what the text of a whole document needs of its pages."""
    return [_text_of(page) async for page in pages]


async def json_parts(
    job: Job, engine: Engine | JobEngine, pages: Pages, answer_of: AnswerOf
) -> AsyncGenerator[bytes]:
    """Yield the JSON of the `ResultAnswer` in parts."""
    writer, timings = ResultWriter(engine, job.request_id, answer_of), Timings()
    yield writer.start(cached=False)
    async for page in pages:
        yield await asyncio.to_thread(writer.page, page)
        timings += page.timings
    yield await asyncio.to_thread(_end, job, writer, timings)


async def ndjson_lines(
    job: Job, engine: Engine | JobEngine, pages: Pages, answer_of: AnswerOf
) -> AsyncGenerator[str]:
    """Yield the lines of a stream, as `/ocr` answers it."""
    texts: list[PageResult] = []
    named, count = EngineAnswer.of(engine), len(job.result_pages)
    yield to_line(StartEvent(request_id=job.request_id, engine=named, page_count=count, cached=False))
    async for page in pages:
        yield await asyncio.to_thread(_page_line, page, answer_of)
        texts.append(_text_of(page))
    yield await asyncio.to_thread(_end_line, job, texts)


def _text_of(page: PageResult) -> PageResult:
    blocks = tuple(page.failed_blocks)
    return replace(page, blocks=blocks, images={}, drawings={}, docx=None, raw=None)


def _end(job: Job, writer: ResultWriter, timings: Timings) -> bytes:
    return joined(list(writer.end(False, timings, _total(job))))


def _total(job: Job) -> float:
    """Return the seconds from the submit to the end."""
    return (job.ended - job.created) if job.ended else 0.0


def _page_line(page: PageResult, answer_of: AnswerOf) -> str:
    return to_line(PageEvent(page=answer_of(page)))


def _end_line(job: Job, pages: Sequence[PageResult]) -> str:
    result = job_result(job, pages)
    stored = StorageAnswer(**job.stored) if job.stored else StorageAnswer.of(DISABLED)
    end = EndEvent(
        failed_pages=sorted(page.index for page in result.quality if page.failed),
        confidence=mean_confidence(result.quality),
        warnings=DocumentWarningAnswer.all_of(result.quality),
        timings=TimingsAnswer.of(result.timings, result.total),
        storage=stored,
    )
    return to_line(end)
