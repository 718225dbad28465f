"""Work in a process of its own, until it is told to stop."""

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from typing import Any, TypeVar

T = TypeVar("T")

_stop: Event


@contextmanager
def beside(work: Callable[..., T], *args: Any) -> Iterator["Future[T]"]:
    """Run `work(*args, stop)` beside the block, and set `stop` at its end; then the future has the result."""
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    with ProcessPoolExecutor(1, context, initializer=_keep, initargs=(stop,)) as process:
        result = process.submit(_run, work, args)
        try:
            yield result
        finally:
            stop.set()


def _keep(stop: Event) -> None:
    """Keep the event, which a process can only be given at its start."""
    global _stop
    _stop = stop


def _run(work: Callable[..., T], args: tuple[Any, ...]) -> T:
    return work(*args, _stop)
