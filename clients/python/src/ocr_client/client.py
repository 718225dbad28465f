"""The clients: they carry out the steps of the protocol with httpx."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import httpx

from ocr_client.errors import OcrError
from ocr_client.results import Document, Job, Page
from ocr_client.sources import Source, upload_of
from ocr_client.steps import Answer, Call, Closed, Pause, Protocol, Step, Steps

T = TypeVar("T")
Field = str | int | float | bool
OnProgress = Callable[[Job], None]
OnWait = Callable[[OcrError], None]
# Takes the next step of a protocol; with an answer, or with an error that it raises there.
GoOn = Callable[[], Step]

_CONNECT_SECONDS = 10.0
_PATIENCE = 120.0


def _connection(url: str, key: str | None) -> dict[str, Any]:
    """Return the arguments of httpx; raises ValueError."""
    if not url.startswith(("http://", "https://")):
        raise ValueError("The address of the service begins with http:// or https://.")
    try:
        httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ValueError(f"The address of the service is not valid: {error}") from None
    if key and not (key.isascii() and key.isprintable()):
        raise ValueError("An API key has ASCII characters only.")
    return {"base_url": url, "headers": {"X-API-Key": key} if key else {}}


def _texts(fields: Mapping[str, Field]) -> dict[str, str]:
    """Return the fields as a form has them."""
    texts = {name: str(value) for name, value in fields.items()}
    return {name: text.lower() if text in ("True", "False") else text for name, text in texts.items()}


def _sent(http: Any, call: Call) -> Any:
    timeout = httpx.Timeout(call.patience, connect=min(call.patience, _CONNECT_SECONDS))
    body = {"data": call.data or None, "files": call.files or None}
    return http.request(
        call.method, call.path, params=call.params, headers=call.headers, timeout=timeout, **body
    )


def _interrupted(steps: Steps[Any], error: BaseException) -> GoOn:
    """Return how to tell the steps of an error; raises it if they have ended, as with their own error."""
    if inspect.getgeneratorstate(steps) == inspect.GEN_CLOSED:
        raise error
    return partial(steps.throw, error)


class Client:
    """A synchronous client.

    url: of the service. key: an API key, if the service asks for one. patience: seconds for which a
    service that is away, starts or is full is asked again. on_wait: called with the reason before each of
    these waits. The fields of the methods are those of `POST /ocr`, such as `pages` and `lang`.
    Raises ValueError if the URL or the key cannot be right. If a method that reads a document is interrupted,
    as by Ctrl-C, its job is cancelled.
    """

    def __init__(
        self, url: str, key: str | None = None, patience: float = _PATIENCE, on_wait: OnWait | None = None
    ) -> None:
        self._http = httpx.Client(**_connection(url, key))
        self._protocol = Protocol(patience)
        self._on_wait = on_wait

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def read(self, source: Source, on_progress: OnProgress | None = None, **fields: Field) -> Document:
        """Read a document: a path, an address, bytes or an open file. Raises OcrError."""
        return self._run(self._protocol.read(upload_of(source), _texts(fields)), on_progress)

    def export(
        self, source: Source, form: str, on_progress: OnProgress | None = None, **fields: Field
    ) -> bytes:
        """Read a document; return it as a file, such as "markdown", "html", "docx" or "pdf"."""
        return self.exports(source, [form], on_progress, **fields)[form]

    def exports(
        self,
        source: Source,
        forms: Sequence[str],
        on_progress: OnProgress | None = None,
        **fields: Field,
    ) -> dict[str, bytes]:
        """Read a document; return it as several files, by their formats."""
        return self._run(self._protocol.exports(upload_of(source), _texts(fields), forms), on_progress)

    def pages(self, source: Source, **fields: Field) -> Generator[Page, None, None]:
        """Yield each page as soon as it is read, not always in order."""
        steps = self._protocol.pages(upload_of(source), _texts(fields))
        go_on: GoOn = partial(next, steps)
        while True:
            try:
                step = go_on()
                if isinstance(step, Page):
                    yield step
                go_on = partial(steps.send, self._take(step, None))
            except (StopIteration, Closed):
                return
            except GeneratorExit:
                go_on = partial(steps.throw, Closed())
            except BaseException as error:
                go_on = _interrupted(steps, error)

    def submit(self, source: Source, **fields: Field) -> Job:
        """Submit a document as a job."""
        return self._run(self._protocol.submit(upload_of(source), _texts(fields)))

    def job(self, job_id: str) -> Job:
        """Return the present state of a job."""
        return self._run(self._protocol.job(job_id))

    def wait(self, job: Job, on_progress: OnProgress | None = None) -> Job:
        """Wait until a job is done; raises OcrError if it fails."""
        return self._run(self._protocol.finished(job), on_progress)

    def result(self, job_id: str, form: str = "json") -> bytes:
        """Return the result of a job that is done."""
        return self._run(self._protocol.result(job_id, form)).content

    def cancel(self, job_id: str) -> None:
        """Cancel an open job, or delete one that has ended."""
        self._run(self._protocol.cancel(job_id))

    def _run(self, steps: Steps[T], on_progress: OnProgress | None = None) -> T:
        go_on: GoOn = partial(next, steps)
        while True:
            try:
                step = go_on()
                go_on = partial(steps.send, self._take(step, on_progress))
            except StopIteration as end:
                result: T = end.value
                return result
            except BaseException as error:
                go_on = _interrupted(steps, error)

    def _take(self, step: Step, on_progress: OnProgress | None) -> Answer:
        if isinstance(step, Call):
            try:
                response: httpx.Response = _sent(self._http, step)
                return response
            except httpx.RequestError as error:
                return error
        if isinstance(step, Pause):
            if step.reason and self._on_wait:
                self._on_wait(step.reason)
            time.sleep(step.seconds)
        elif isinstance(step, Job) and on_progress:
            on_progress(step)
        return None


class AsyncClient:
    """An asynchronous client; see `Client`."""

    def __init__(
        self, url: str, key: str | None = None, patience: float = _PATIENCE, on_wait: OnWait | None = None
    ) -> None:
        self._http = httpx.AsyncClient(**_connection(url, key))
        self._protocol = Protocol(patience)
        self._on_wait = on_wait

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def read(self, source: Source, on_progress: OnProgress | None = None, **fields: Field) -> Document:
        """See `Client.read`."""
        upload = await asyncio.to_thread(upload_of, source)
        return await self._run(self._protocol.read(upload, _texts(fields)), on_progress)

    async def export(
        self, source: Source, form: str, on_progress: OnProgress | None = None, **fields: Field
    ) -> bytes:
        """See `Client.export`."""
        return (await self.exports(source, [form], on_progress, **fields))[form]

    async def exports(
        self,
        source: Source,
        forms: Sequence[str],
        on_progress: OnProgress | None = None,
        **fields: Field,
    ) -> dict[str, bytes]:
        """See `Client.exports`."""
        upload = await asyncio.to_thread(upload_of, source)
        return await self._run(self._protocol.exports(upload, _texts(fields), forms), on_progress)

    async def pages(self, source: Source, **fields: Field) -> AsyncGenerator[Page, None]:
        """See `Client.pages`."""
        upload = await asyncio.to_thread(upload_of, source)
        steps = self._protocol.pages(upload, _texts(fields))
        go_on: GoOn = partial(next, steps)
        while True:
            try:
                step = go_on()
                if isinstance(step, Page):
                    yield step
                go_on = partial(steps.send, await self._take(step, None))
            except (StopIteration, Closed):
                return
            except GeneratorExit:
                go_on = partial(steps.throw, Closed())
            except BaseException as error:
                go_on = _interrupted(steps, error)

    async def submit(self, source: Source, **fields: Field) -> Job:
        """See `Client.submit`."""
        upload = await asyncio.to_thread(upload_of, source)
        return await self._run(self._protocol.submit(upload, _texts(fields)))

    async def job(self, job_id: str) -> Job:
        """See `Client.job`."""
        return await self._run(self._protocol.job(job_id))

    async def wait(self, job: Job, on_progress: OnProgress | None = None) -> Job:
        """See `Client.wait`."""
        return await self._run(self._protocol.finished(job), on_progress)

    async def result(self, job_id: str, form: str = "json") -> bytes:
        """See `Client.result`."""
        return (await self._run(self._protocol.result(job_id, form))).content

    async def cancel(self, job_id: str) -> None:
        """See `Client.cancel`."""
        await self._run(self._protocol.cancel(job_id))

    async def _run(self, steps: Steps[T], on_progress: OnProgress | None = None) -> T:
        go_on: GoOn = partial(next, steps)
        while True:
            try:
                step = go_on()
                go_on = partial(steps.send, await self._take(step, on_progress))
            except StopIteration as end:
                result: T = end.value
                return result
            except BaseException as error:
                go_on = _interrupted(steps, error)

    async def _take(self, step: Step, on_progress: OnProgress | None) -> Answer:
        if isinstance(step, Call):
            try:
                response: httpx.Response = await _sent(self._http, step)
                return response
            except httpx.RequestError as error:
                return error
        if isinstance(step, Pause):
            if step.reason and self._on_wait:
                self._on_wait(step.reason)
            await asyncio.sleep(step.seconds)
        elif isinstance(step, Job) and on_progress:
            on_progress(step)
        return None
