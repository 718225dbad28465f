"""What NVIDIA's driver says of the GPUs; nothing where there is none, or none of NVIDIA's."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread
from typing import Any

log = logging.getLogger(__name__)

# More than it takes; a driver in trouble may never answer.
_PATIENCE = 1.0


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU, as the process sees it; what the driver does not tell, of a part of a GPU, say, is None.

    index: from 0. utilization: share of time in which it computed, 0 to 1. memory_used, memory_size: bytes.
    """

    index: int
    utilization: float | None
    memory_used: int | None
    memory_size: int | None


class Gpus:
    """Asks the driver, on a thread that neither the caller nor the process's end waits for."""

    def __init__(self, patience: float = _PATIENCE) -> None:
        self._patience = patience
        self._initialized = False
        self._asked: Future[Sequence[Gpu]] | None = None

    async def read(self) -> Sequence[Gpu]:
        """Return the GPUs; none where the driver does not answer in time."""
        if self._asked is None or self._asked.done():
            self._asked = Future()
            Thread(target=self._answer, args=(self._asked,), name="gpus", daemon=True).start()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                # The answer is another caller's, too.
                return await asyncio.shield(asyncio.wrap_future(self._asked))
        return ()

    def _answer(self, asked: "Future[Sequence[Gpu]]") -> None:
        try:
            asked.set_result(self._ask())
        except Exception:
            log.exception("the GPUs cannot be read")
            asked.set_result(())

    def _ask(self) -> Sequence[Gpu]:
        # Not at the top: nobody needs it where nobody asks for metrics.
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
    def told(query: Callable[[Any], Any]) -> Any:
        try:
            return query(driver.nvmlDeviceGetHandleByIndex(index))
        except driver.NVMLError:
            return None

    rates = told(driver.nvmlDeviceGetUtilizationRates)
    memory = told(driver.nvmlDeviceGetMemoryInfo)
    return Gpu(
        index,
        utilization=rates.gpu / 100 if rates else None,
        memory_used=memory.used if memory else None,
        memory_size=memory.total if memory else None,
    )
