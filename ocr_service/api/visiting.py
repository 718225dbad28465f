"""A request for a document as the rest of the service sees it: a visit, and a record of what became of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict

from fastapi import Request

from ocr_service.admission.admission import Visit
from ocr_service.api.requests.body_stream import discard_body
from ocr_service.api.service import service_of
from ocr_service.core.documents import DocumentResult, Timings
from ocr_service.telemetry.request_context import record


@asynccontextmanager
async def visiting(request: Request) -> AsyncIterator[Visit]:
    """Let a request in until it is answered; raises Overloaded or Draining."""
    service = service_of(request)
    record.get().engine = service.pipeline.engine.name
    if service.admission.draining:
        await discard_body(request, service.body_limits)
    with service.admission.visit() as visit:
        yield visit


def note_document(data: bytes) -> None:
    """Record what came."""
    record.get().document_bytes = len(data)


def note_result(result: DocumentResult) -> None:
    """Record what was read."""
    failed = sum(page.failure is not None for page in result.pages)
    note_pages(len(result.pages), failed, result.timings, result.cached)


def note_pages(pages: int, failed: int, timings: Timings, cached: bool) -> None:
    """Record how many pages were read, and how many of these failed."""
    known = record.get()
    known.pages, known.failed_pages, known.cached = pages, failed, cached
    known.timings = asdict(timings)
