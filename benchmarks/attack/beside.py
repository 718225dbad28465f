"""Work in a process of its own, until it is told to stop."""

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

# Of attackers, beside the service: real ones use the cores of other machines.
_NICENESS = 10
# Of the session of a process, among all sessions.
_OF_SESSION = Path("/proc/self/autogroup")

_stop: Event
_begun: Event


@contextmanager
def beside(work: Callable[..., T], *args: Any, attacks: bool = False) -> Iterator["Future[T]"]:
    """Run `work(*args, stop)` beside the block, and set `stop` at its end; then the future has the result.

    The block starts when the work has called `begin`. attacks: the work has a low priority.
    """
    context = multiprocessing.get_context("spawn")
    stop, begun = context.Event(), context.Event()
    with ProcessPoolExecutor(1, context, initializer=_prepare, initargs=(stop, begun, attacks)) as process:
        result = process.submit(_run, work, args)
        try:
            while not begun.wait(0.1) and not result.done():
                continue
            yield result
        finally:
            stop.set()


def begin() -> None:
    """Say that the work is prepared."""
    _begun.set()


def _prepare(stop: Event, begun: Event, attacks: bool) -> None:
    """Keep the events, which a process can only be given at its start."""
    global _stop, _begun
    _stop, _begun = stop, begun
    if attacks:
        os.nice(_NICENESS)
        # Linux shares the cores between sessions first, whatever the priorities of their processes are.
        with suppress(OSError):
            niceness = int(_OF_SESSION.read_text().split()[-1])
            os.setsid()
            _OF_SESSION.write_text(str(niceness + _NICENESS))


def _run(work: Callable[..., T], args: tuple[Any, ...]) -> T:
    return work(*args, _stop)
