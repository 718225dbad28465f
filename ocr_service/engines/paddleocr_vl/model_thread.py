"""The thread that runs all models except the VLM: Paddle's predictors are not thread-safe.

Pages that wait for the layout model are batched, up to eight at a time; if the thread is idle, a page starts
at once.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ParamSpec, TypeVar

from ocr_service.core.errors import bare

P = ParamSpec("P")
T = TypeVar("T")

MAX_BATCH = 8

Model = Callable[..., Any]
"""Called with a list of images, and options; returns one result per image."""


@dataclass(eq=False)
class _Call:
    function: Callable[[], Any]
    done: "Future[Any]" = field(default_factory=Future)

    def run(self) -> None:
        if not self.done.set_running_or_notify_cancel():
            return
        try:
            self.done.set_result(self.function())
        except Exception as error:
            self.done.set_exception(error)


@dataclass(eq=False)
class _Inference:
    model: Model
    images: Sequence[Any]
    options: Mapping[str, Any]
    batched: bool
    done: "Future[list[Any]]" = field(default_factory=Future)

    def batches_with(self, other: object) -> bool:
        return (
            isinstance(other, _Inference)
            and self.batched
            and other.batched
            and self.model is other.model
            and self.options == other.options
        )


class ModelThread:
    """Runs jobs from any thread, one after the other."""

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[_Call | _Inference | None] = queue.SimpleQueue()
        # Jobs that were taken from the queue for a batch and did not fit.
        self._deferred: deque[_Call | _Inference | None] = deque()
        self._lock = threading.Lock()
        self._closed = False
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Run a function on the thread, such as the one that loads the models."""
        job = _Call(partial(function, *args, **kwargs))
        self._put(job)
        return job.done

    def infer(
        self, model: Model, images: Sequence[Any], options: Mapping[str, Any], batched: bool = True
    ) -> "Future[list[Any]]":
        """Run a model, in one batch with other jobs if `batched`; a job can be cancelled until it starts."""
        job = _Inference(model, images, options, batched)
        self._put(job)
        return job.done

    def close(self) -> None:
        """End the thread after the jobs in the queue; later jobs are cancelled."""
        with self._lock:
            self._closed = True
            self._jobs.put(None)

    def _put(self, job: _Call | _Inference) -> None:
        with self._lock:
            if self._closed:
                job.done.cancel()
            else:
                self._jobs.put(job)

    def _work(self) -> None:
        while (job := self._next()) is not None:
            if isinstance(job, _Call):
                job.run()
            else:
                _infer_batch(self._batch(job))
            # While the thread waits for the next job, this frame must not hold a page.
            del job

    def _next(self) -> _Call | _Inference | None:
        return self._deferred.popleft() if self._deferred else self._jobs.get()

    def _batch(self, first: _Inference) -> list[_Inference]:
        jobs, room = [first], MAX_BATCH - len(first.images)
        while room > 0:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if not isinstance(job, _Inference) or not first.batches_with(job) or len(job.images) > room:
                self._deferred.append(job)
                break
            jobs.append(job)
            room -= len(job.images)
        return jobs


def _infer_batch(jobs: list[_Inference]) -> None:
    active = [job for job in jobs if job.done.set_running_or_notify_cancel()]
    if not active:
        return
    first = active[0]
    results: list[Any] | None = None
    if len(active) > 1:
        # One bad image fails the whole batch; then each job runs alone.
        with suppress(Exception):
            results = _infer(first.model, [image for job in active for image in job.images], first.options)
    if results is None:
        for job in active:
            _infer_alone(job)
        return
    start = 0
    for job in active:
        end = start + len(job.images)
        job.done.set_result(results[start:end])
        start = end


def _infer(model: Model, images: Sequence[Any], options: Mapping[str, Any]) -> list[Any]:
    results = list(model(list(images), **options))
    if len(results) != len(images):
        raise RuntimeError(f"{len(results)} results for {len(images)} images")
    return results


def _infer_alone(job: _Inference) -> None:
    try:
        job.done.set_result(_infer(job.model, job.images, job.options))
    except Exception as error:
        job.done.set_exception(bare(error))
