"""Repeats calls that fail for a while."""

import asyncio
import random
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from tqdm import tqdm

from ocr_service.bulk.errors import Away, CannotRun
from ocr_service.core.errors import StorageOutage, StorageRefusal

T = TypeVar("T")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0
# Seconds between two lines about a wait: many calls wait at the same time.
_SILENCE = 60.0


@dataclass(slots=True)
class Patience:
    """seconds: for which a service or a storage that is away is tried again; a busy one is waited for."""

    seconds: float
    _silent_until: float = 0.0

    async def __call__(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call until that succeeds; raises CannotRun when the time since the first failure is over."""
        clock = asyncio.get_running_loop().time
        deadline: float | None = None
        pause = _FIRST_PAUSE
        while True:
            try:
                return await call()
            except StorageRefusal as error:
                raise CannotRun(error.detail) from None
            except (Away, StorageOutage) as error:
                is_busy = isinstance(error, Away) and error.is_busy
                if deadline is None or is_busy:
                    deadline = clock() + self.seconds
                wait = max(pause, error.retry_after if isinstance(error, Away) else 0.0)
                if clock() + wait > deadline:
                    raise CannotRun(str(error)) from None
                self._say(f"waiting: {error}", clock())
            await asyncio.sleep(wait * random.uniform(1, 1.5))
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _say(self, text: str, now: float) -> None:
        if now >= self._silent_until:
            self._silent_until = now + _SILENCE
            # Above the progress bar, if there is one.
            tqdm.write(f"ocr-bulk: {text}", file=sys.stderr)
