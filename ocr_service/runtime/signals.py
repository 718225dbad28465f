"""What happens between a signal to stop and the end: the server that runs the app is told only afterwards."""

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def run_before_stop(work: Callable[[], Coroutine[Any, Any, None]]) -> Iterator[None]:
    """Inside, let `work` come to its end before a signal to stop takes effect; a second one does so at once.

    Servers stop listening as soon as they are told to stop, and whoever asks meanwhile gets no answer.
    """
    if threading.current_thread() is not threading.main_thread():
        # Signals are not ours to handle, nor those of a server that runs here.
        yield
        return
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    stop = _Stop(work, handlers)
    for number, handler in handlers.items():
        if callable(handler):
            signal.signal(number, stop.on_signal)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            if signal.getsignal(number) == stop.on_signal:
                signal.signal(number, handler)


class _Stop:
    def __init__(
        self, work: Callable[[], Coroutine[Any, Any, None]], handlers: dict[signal.Signals, Any]
    ) -> None:
        self._work = work
        self._handlers = handlers
        self._loop = asyncio.get_running_loop()
        self._working: asyncio.Task[None] | None = None

    def on_signal(self, number: int, _: FrameType | None) -> None:
        # Between any two steps of the main thread's code: what follows is for the event loop.
        self._loop.call_soon_threadsafe(self._begin, signal.Signals(number))

    def _begin(self, number: signal.Signals) -> None:
        if self._working is None:
            self._working = asyncio.create_task(self._work())
            self._working.add_done_callback(lambda _: self._take_effect(number))
        elif not self._working.done():
            self._take_effect(number)

    def _take_effect(self, number: signal.Signals) -> None:
        self._handlers[number](int(number), None)
