"""Work between a stop signal and the shutdown of the server that runs the app."""

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from types import FrameType
from typing import Any

RESTART_VLLM = signal.SIGUSR1
"""Signal to `container/supervisor.py`, which restarts vLLM."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def request_restart(supervisor: int | None) -> None:
    """Have the supervisor restart vLLM; do nothing if the parent of this process is another one."""
    if supervisor is not None and supervisor == os.getppid():
        os.kill(supervisor, RESTART_VLLM)


@asynccontextmanager
async def run_before_stop(work: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Within the block, delay a stop signal until `work` has finished. A second signal takes effect at once.

    Work that still runs at the end of the block is cancelled, because it uses parts that are closed next.
    The server closes its socket as soon as it receives the signal, so requests would get no answer meanwhile.
    """
    if threading.current_thread() is not threading.main_thread():
        # Only the main thread receives signals, so a server in another thread does not handle them.
        yield
        return
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    stop = _StopSequence(work, handlers)
    for number, handler in handlers.items():
        if callable(handler):
            signal.signal(number, stop.on_signal)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            if signal.getsignal(number) == stop.on_signal:
                signal.signal(number, handler)
        await stop.end()


class _StopSequence:
    def __init__(
        self, work: Callable[[], Coroutine[Any, Any, None]], handlers: dict[signal.Signals, Any]
    ) -> None:
        self._work = work
        self._handlers = handlers
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None

    def on_signal(self, number: int, _: FrameType | None) -> None:
        # A signal handler interrupts any code of the main thread, so the event loop does the rest.
        self._loop.call_soon_threadsafe(self._begin, signal.Signals(number))

    async def end(self) -> None:
        """Cancel the work if it still runs."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _begin(self, number: signal.Signals) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._work())
            self._task.add_done_callback(partial(self._finish, number))
        elif not self._task.done():
            self._call_handler(number)

    def _finish(self, number: signal.Signals, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            self._call_handler(number)

    def _call_handler(self, number: signal.Signals) -> None:
        self._handlers[number](int(number), None)
