"""The one thread that runs the models beside the VLM: Paddle's predictors do not bear two.

Pages that wait for the layout model go into it together, up to eight at a time; where the thread is idle, a
page goes at once.
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

MOST_GATHERED = 8

Model = Callable[..., Any]
"""Called with a list of images and options; gives an iterable of a result an image."""


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
    alone: bool
    done: "Future[list[Any]]" = field(default_factory=Future)

    def goes_with(self, other: object) -> bool:
        return (
            isinstance(other, _Inference)
            and not (self.alone or other.alone)
            and self.model is other.model
            and self.options == other.options
        )


class ModelThread:
    """Takes jobs from any thread, runs them one after the other."""

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[_Call | _Inference | None] = queue.SimpleQueue()
        # What was taken from the queue in gathering and did not go with the rest.
        self._held: deque[_Call | _Inference | None] = deque()
        self._closing = threading.Lock()
        self._closed = False
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Run something else here, such as what makes the models."""
        job = _Call(partial(function, *args, **kwargs))
        self._put(job)
        return job.done

    def infer(
        self, model: Model, images: Sequence[Any], options: Mapping[str, Any], alone: bool = False
    ) -> "Future[list[Any]]":
        """Run a model, together with others' images unless `alone`; cancelling drops what has not begun."""
        job = _Inference(model, images, options, alone)
        self._put(job)
        return job.done

    def close(self) -> None:
        """End the thread once it has done what it was given; what comes later is cancelled."""
        with self._closing:
            self._closed = True
            self._jobs.put(None)

    def _put(self, job: _Call | _Inference) -> None:
        with self._closing:
            if self._closed:
                job.done.cancel()
            else:
                self._jobs.put(job)

    def _work(self) -> None:
        while (job := self._next()) is not None:
            if isinstance(job, _Call):
                job.run()
            else:
                _infer_together(self._gather(job))
            # While the thread waits for the next, this frame must not keep a page.
            del job

    def _next(self) -> _Call | _Inference | None:
        return self._held.popleft() if self._held else self._jobs.get()

    def _gather(self, first: _Inference) -> list[_Inference]:
        jobs, room = [first], MOST_GATHERED - len(first.images)
        while room > 0:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if not isinstance(job, _Inference) or not first.goes_with(job) or len(job.images) > room:
                self._held.append(job)
                break
            jobs.append(job)
            room -= len(job.images)
        return jobs


def _infer_together(jobs: list[_Inference]) -> None:
    wanted = [job for job in jobs if job.done.set_running_or_notify_cancel()]
    if not wanted:
        return
    first = wanted[0]
    results: list[Any] | None = None
    if len(wanted) > 1:
        # Where one is bad, all fail, and are tried again alone.
        with suppress(Exception):
            results = _infer(first.model, [image for job in wanted for image in job.images], first.options)
    if results is None:
        for job in wanted:
            _infer_alone(job)
        return
    begin = 0
    for job in wanted:
        end = begin + len(job.images)
        job.done.set_result(results[begin:end])
        begin = end


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
