"""A running service, or several behind one address, as a client sees it."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Self

import httpx

from ocr_service.bulk.errors import Away, CannotRun, DocumentFailed, JobGone
from ocr_service.bulk.patience import Patience
from ocr_service.bulk.values import PDF_FORMATS, Reading, Wanted

# Sending a document can take minutes.
_TIMEOUT = httpx.Timeout(600, connect=10)
# Events have a comment every 15 s.
_EVENTS_TIMEOUT = httpx.Timeout(60, connect=10)
_DATA = "data: "
_TEMPORARY = frozenset((429, 502, 503, 504, 507))
# Its status is temporary, but the same document would end the next decoder, too.
_OF_THE_DOCUMENT = frozenset(("decoder_killed",))
# The service is there and has no room: others are served meanwhile.
_BUSY = frozenset(("overloaded", "too_many_jobs", "insufficient_storage", "jobs_full", "draining"))
# Each document would have the same answer.
_FATAL = frozenset(
    (
        "unauthorized",
        "invalid_request",
        "jobs_not_configured",
        "language_not_installed",
        "model_not_loaded",
        "option_not_supported",
    )
)
# Without a code of the service, these are of a proxy, or of another server.
_NOT_OF_THE_SERVICE = frozenset((301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 501))
JOB_NOT_FOUND = "job_not_found"
# Another run has deleted the job, or is deleting it.
_GONE = frozenset((JOB_NOT_FOUND, "job_lost"))
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0


@dataclass(frozen=True, slots=True)
class EngineName:
    """The engine of a service; its version is "" before its start."""

    name: str
    version: str


class Replica(AbstractAsyncContextManager["Replica"]):
    """Reads documents as jobs; belongs to one event loop.

    url: of the service. key: an API key, if the service asks for one. batch: label of the jobs.
    """

    def __init__(self, url: str, key: str | None, batch: str, patience: Patience) -> None:
        headers = {"X-API-Key": key} if key else {}
        # Each job in flight can have a request under way.
        limits = httpx.Limits(max_connections=None)
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=_TIMEOUT, limits=limits)
        self._batch = batch
        self._patience = patience

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def engine(self) -> EngineName:
        """Return the engine; waits until the service can read. Raises CannotRun."""
        try:
            await self._asked("GET", "/health/ready")
            health = _parsed(await self._asked("GET", "/health"))
        except DocumentFailed as error:
            raise CannotRun(error.detail) from None
        if "engine" not in health:
            raise CannotRun("The server is not this service: its health names no engine.")
        return EngineName(health["engine"], health["engine_version"] or "")

    async def read(
        self, address: str, name: str, content: bytes | None, wanted: Wanted, idempotency_key: str
    ) -> Reading:
        """Read a document; the job stays until `forget`, for a run that was killed and begins again.

        address: that the service fetches if there is no content. name: of the file. Raises DocumentFailed,
        JobGone if another run has deleted the job, or CannotRun.
        """
        job = await self._submitted(address, name, content, wanted, idempotency_key)
        status = await self._ended(job)
        if status["state"] != "done":
            error = status["error"] or {"code": "cancelled", "detail": "The job was cancelled."}
            raise DocumentFailed(error["code"], error["detail"], job)
        try:
            files = {form: await self._file(job, form) for form in wanted.formats}
        except DocumentFailed as error:
            raise DocumentFailed(error.code, error.detail, job) from None
        engine = status["engine"]
        return Reading(
            job,
            engine["name"],
            engine["version"] or "",
            status["pages_total"],
            len(status["failed_pages"]),
            files,
        )

    async def forget(self, job: str) -> None:
        """Delete a job whose result is stored elsewhere."""
        try:
            await self._asked("DELETE", f"/jobs/{job}")
        except JobGone:
            return

    async def _submitted(
        self, address: str, name: str, content: bytes | None, wanted: Wanted, idempotency_key: str
    ) -> str:
        """Submit a job, or find the one with this key; return its id."""
        # This command stores the results, with the record that it needs to go on.
        fields = {**wanted.fields, "store": "false"}
        if form := next((form for form in wanted.formats if form in PDF_FORMATS), None):
            fields["format"] = form
        headers = {"Idempotency-Key": idempotency_key}
        params = {"batch": self._batch}
        body: dict[str, Any] = (
            {"data": {**fields, "image_url": address}}
            if content is None
            else {"data": fields, "files": {"file": (_file_name(name), content)}}
        )
        answer = await self._asked("POST", "/jobs", params=params, headers=headers, **body)
        return str(answer.json()["id"])

    async def _ended(self, job: str) -> Mapping[str, Any]:
        """Return the job when it is at its end."""
        pause = _FIRST_PAUSE
        while not (status := await self._patience(partial(self._followed, job))):
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        return status

    async def _followed(self, job: str) -> Mapping[str, Any] | None:
        """Follow a job by its events: one request, however long it takes.

        Returns the job; None if the events break off before, as when the service stops.
        """
        try:
            async with self._http.stream("GET", f"/jobs/{job}/events", timeout=_EVENTS_TIMEOUT) as answer:
                if not answer.is_success:
                    await answer.aread()
                    raise _error(answer)
                with suppress(httpx.TransportError):
                    return await _end_of(answer)
                return None
        except httpx.TransportError as error:
            raise _away(error) from None

    async def _file(self, job: str, form: str) -> bytes:
        return (await self._asked("GET", f"/jobs/{job}/result", params={"format": form})).content

    async def _asked(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Return a good answer; a missing or temporary one is asked for again."""

        async def ask() -> httpx.Response:
            try:
                answer = await self._http.request(method, path, **request)
            except httpx.TransportError as error:
                raise _away(error) from None
            if not answer.is_success:
                raise _error(answer)
            return answer

        return await self._patience(ask)


def _file_name(name: str) -> str:
    # Names of files can be invalid as text.
    return name.rpartition("/")[2].encode(errors="replace").decode()


async def _end_of(events: httpx.Response) -> Mapping[str, Any] | None:
    """Return the data of the event `end`, if it comes."""
    is_end = False
    async for line in events.aiter_lines():
        if is_end and line.startswith(_DATA):
            job: Mapping[str, Any] = json.loads(line.removeprefix(_DATA))
            return job
        is_end = line == "event: end"
    return None


def _away(error: httpx.TransportError) -> Away:
    return Away(f"The service cannot be reached: {error or type(error).__name__}")


def _error(answer: httpx.Response) -> Exception:
    problem = _parsed(answer)
    code = str(problem.get("code", answer.status_code))
    detail = str(problem.get("detail", f"The server answers {answer.status_code}, unlike this service."))
    if code in _FATAL or (answer.status_code in _NOT_OF_THE_SERVICE and "code" not in problem):
        return CannotRun(f"{detail} ({code})")
    if code in _GONE:
        return JobGone(code, detail)
    if answer.status_code in _TEMPORARY and code not in _OF_THE_DOCUMENT:
        after = answer.headers.get("Retry-After", "")
        return Away(detail, float(after) if after.isdecimal() else 0.0, code in _BUSY)
    return DocumentFailed(code, detail)


def _parsed(answer: httpx.Response) -> Mapping[str, Any]:
    """Return the object of an answer; an empty one if the answer is something else."""
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
