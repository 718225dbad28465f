"""`GET /jobs/{job_id}/events`: the progress of a job as server-sent events."""

import asyncio
import re
import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Annotated

from fastapi import Header, Request, Response
from fastapi.responses import StreamingResponse

from ocr_service.api import openapi
from ocr_service.api.answers.job import JobAnswer, JobPageEvent
from ocr_service.api.middleware.api_keys import owner
from ocr_service.api.service import service_of
from ocr_service.core.errors import JobNotFound
from ocr_service.jobs.job import Job, JobState
from ocr_service.jobs.jobs import Jobs

router = openapi.router(openapi.JOBS)

MEDIA_TYPE = "text/event-stream"
# Proxies such as nginx would hold small events back.
_HEADERS = {"X-Accel-Buffering": "no", "Cache-Control": "no-store"}
# Seconds between looks at a job that another process may read: at first, so that a short job is hardly late,
# and at most.
_FIRST_PAUSE, _LAST_PAUSE = 0.05, 1.0
# Seconds after which a comment keeps the connection of a proxy open.
_COMMENT_SECONDS = 15.0
# Milliseconds after which a client connects again.
_RETRY = "retry: 2000\n\n"
# An id of an event. Python refuses to read numbers of thousands of digits.
_ID = re.compile(r"[0-9]{1,9}")


@router.get(
    "/jobs/{job_id}/events",
    summary="Follow a job",
    response_class=Response,
    responses={**openapi.PROBLEM_RESPONSES, 200: {"description": "Events.", "content": {MEDIA_TYPE: {}}}},
)
async def follow_job(
    request: Request, job_id: str, last_event_id: Annotated[str | None, Header()] = None
) -> Response:
    """Send an event `page` for each page that is read, `state` when the state changes, and `end` at the end.

    The id of a `page` is its place in the order of reading. A client that connects again with
    `Last-Event-ID` gets the pages after it.
    """
    service = service_of(request)
    job, changed = await service.jobs.look(job_id, owner(request.scope))
    events = _events(service.jobs, job, changed, _seen(last_event_id, job))
    return StreamingResponse(events, 200, _HEADERS, MEDIA_TYPE)


def _seen(last_event_id: str | None, job: Job) -> int:
    """Return how many pages the client has: 0 if its id is none of this job."""
    seen = int(last_event_id) if last_event_id and _ID.fullmatch(last_event_id) else 0
    return seen if seen <= len(job.pages) else 0


async def _events(jobs: Jobs, job: Job, changed: asyncio.Event, seen: int) -> AsyncGenerator[str]:
    """Yield the events; while the service stops, the known ones.

    changed: the next change of the job sets it. seen: pages that the client has.
    """
    yield _RETRY
    state: JobState | None = None
    sent = time.monotonic()
    pause, longest = _FIRST_PAUSE, _LAST_PAUSE
    if not jobs.are_shared:
        pause = longest = _COMMENT_SECONDS
    while True:
        news = _news(job, seen, state)
        for event in news:
            yield event
        seen, state = max(seen, len(job.done)), job.state
        if not job.state.is_open or jobs.is_draining:
            return
        if news:
            sent = time.monotonic()
        elif time.monotonic() - sent >= _COMMENT_SECONDS:
            yield ": the job goes on\n\n"
            sent = time.monotonic()
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await changed.wait()
        pause = min(1.5 * pause, longest)
        try:
            job, changed = await jobs.look(job.id, job.owner)
        except JobNotFound:
            # Cancelled and deleted between two looks; the client gets the 404 when it connects again.
            return


def _news(job: Job, seen: int, state: JobState | None) -> list[str]:
    """Return the events since `seen` pages and `state`."""
    events = []
    for place, page in enumerate(job.done[seen:], start=seen + 1):
        data = JobPageEvent(
            page=page, failed=page in job.failed, pages_done=place, pages_total=len(job.pages)
        )
        events.append(f"event: page\nid: {place}\ndata: {data.model_dump_json()}\n\n")
    if job.state is not state:
        name = "state" if job.state.is_open else "end"
        events.append(f"event: {name}\ndata: {JobAnswer.of(job).model_dump_json()}\n\n")
    return events
