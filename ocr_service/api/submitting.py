"""Submitting a job: admit the request, receive its document, check it, and accept it."""

import re
from collections.abc import Mapping
from typing import Any

from fastapi import Request

from ocr_service.api import reading
from ocr_service.api.middleware.api_keys import caller_of
from ocr_service.api.reading import Admitted
from ocr_service.api.service import service_of
from ocr_service.core.errors import RequestError
from ocr_service.core.options import Options
from ocr_service.jobs.job import Job, NewJob
from ocr_service.telemetry.request_context import request_id

IDEMPOTENCY_KEY = "Idempotency-Key"
RESPOND_ASYNC = "respond-async"
_PREFERS = re.compile(rf"(?:^|,)\s*{RESPOND_ASYNC}\s*(?:;|,|$)", re.IGNORECASE)
# The longest key, and the longest name of a file that is kept.
_MAX_KEY, _MAX_NAME = 255, 255
# A label of jobs has no control characters, which a database may refuse.
MAX_BATCH, BATCH_PATTERN = 255, r"^[^\x00-\x1f\x7f-\x9f]+$"


def prefers_async(request: Request) -> bool:
    """Whether the client wants a job instead of the result (RFC 7240)."""
    return any(map(_PREFERS.search, request.headers.getlist("prefer")))


def check_jobs(request: Request) -> None:
    """Raise JobsUnavailable before a document is received in vain."""
    service_of(request).jobs.check_available()


async def submit(
    admitted: Admitted,
    document: bytes | str,
    name: str,
    face: str,
    asked: Mapping[str, Any],
    pages: str | None,
    options: Options,
    batch: str | None = None,
    callback_url: str | None = None,
) -> Job:
    """Check a document, and accept the job to read it.

    document: its bytes or its address. name: of the file, or "". face, asked, batch, callback_url: see
    `NewJob`. pages, options: for the check. Raises OcrError if the job would fail at once.
    """
    service, request = admitted.service, admitted.request
    data, name = await reading.fetch(admitted, document, name)
    caller = caller_of(request.scope, is_job=True)
    wanted = await service.pipeline.request(data, pages, options, cached=False, caller=caller)
    selected = await admitted.unless_disconnected(service.pipeline.selected_pages(wanted))
    new = NewJob(
        id=service.jobs.new_id(),
        owner=caller.owner,
        face=face,
        asked=asked,
        name=_stored_name(name),
        sha256=wanted.sha256,
        size=len(data),
        pages=selected,
        request_id=request_id.get(),
        batch=_checked_batch(batch),
        idempotency_key=_idempotency_key(request),
        callback_url=callback_url,
    )
    return await admitted.unless_disconnected(service.jobs.submit(new, data))


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get(IDEMPOTENCY_KEY)
    if key is not None and not (0 < len(key) <= _MAX_KEY and key.isprintable()):
        raise RequestError(f"{IDEMPOTENCY_KEY} must have 1 to {_MAX_KEY} printable characters.")
    return key


def _checked_batch(batch: str | None) -> str | None:
    if batch is not None and not (len(batch) <= MAX_BATCH and re.fullmatch(BATCH_PATTERN, batch)):
        raise RequestError(f"The label of a batch must have 1 to {MAX_BATCH} characters, none of control.")
    return batch


def _stored_name(name: str) -> str:
    """Return the name of a file as every database takes it."""
    return name.replace("\0", "").encode(errors="replace").decode()[:_MAX_NAME]
