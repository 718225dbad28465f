"""Utilization and memory of the NVIDIA GPUs. Without a GPU or a driver there are no figures."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread
from typing import Any

log = logging.getLogger(__name__)

# Far more than a query takes. A driver with a fault may never answer.
_TIMEOUT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU that is visible to the process. A figure that the driver does not provide is None.

    A MIG instance, for example, has no utilization. index: from 0. utilization: 0 to 1. memory_used and
    memory_size: bytes.
    """

    index: int
    utilization: float | None
    memory_used: int | None
    memory_size: int | None


class Gpus:
    """Queries the driver in a thread, so that a driver that hangs blocks neither the service nor its exit."""

    def __init__(self, timeout: float = _TIMEOUT_SECONDS) -> None:
        self._timeout = timeout
        self._initialized = False
        self._query: Future[Sequence[Gpu]] | None = None

    async def read(self) -> Sequence[Gpu]:
        """Return the GPUs, or none if the driver does not answer in time."""
        if self._query is None or self._query.done():
            self._query = Future()
            Thread(target=self._run, args=(self._query,), name="gpus", daemon=True).start()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._timeout):
                # Concurrent callers share the query, so a cancelled one must not cancel it.
                return await asyncio.shield(asyncio.wrap_future(self._query))
        return ()

    def _run(self, query: "Future[Sequence[Gpu]]") -> None:
        try:
            query.set_result(self._ask_driver())
        except Exception:
            log.exception("the GPUs cannot be read")
            query.set_result(())

    def _ask_driver(self) -> Sequence[Gpu]:
        # Imported here because only a scrape of the metrics needs it.
        import pynvml

        try:
            if not self._initialized:
                pynvml.nvmlInit()
                self._initialized = True
            return [_gpu(pynvml, index) for index in range(pynvml.nvmlDeviceGetCount())]
        except pynvml.NVMLError as error:
            log.debug("the GPUs cannot be read: %s", error)
        return ()


def _gpu(driver: Any, index: int) -> Gpu:
    def ask(query: Callable[[Any], Any]) -> Any:
        try:
            return query(driver.nvmlDeviceGetHandleByIndex(index))
        except driver.NVMLError:
            return None

    rates = ask(driver.nvmlDeviceGetUtilizationRates)
    memory = ask(driver.nvmlDeviceGetMemoryInfo)
    return Gpu(
        index,
        utilization=rates.gpu / 100 if rates else None,
        memory_used=memory.used if memory else None,
        memory_size=memory.total if memory else None,
    )
