"""Whether vLLM makes progress: a hung engine leaves calls unanswered behind a health check that succeeds."""

import logging
import time
from collections.abc import Callable
from http import HTTPStatus

import aiohttp

from ocr_service.engines.paddleocr_vl.vlm_client import VlmClient

log = logging.getLogger(__name__)

# Metrics of vLLM that change while its engine works, also during one long answer.
_FIGURES = (b"vllm:generation_tokens_total", b"vllm:prompt_tokens_total", b"vllm:num_requests_running")


class VlmProgress:
    """Adds up the seconds for which vLLM had calls, answered none and generated nothing.

    stalled: these seconds; 0 after any progress. Time without calls does not count, so that callers who leave
    early do not hide a hang.
    max_step: seconds that one check can add, in case this process stood still itself.
    """

    def __init__(
        self, client: VlmClient, max_step: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._max_step = max_step
        self._clock = clock
        self.stalled = 0.0
        self._checked_at = clock()
        self._sent = self._answered = 0
        self._figures: tuple[bytes, ...] | None = None

    async def check(self, max_seconds: float) -> None:
        """Compare with the last check. A server whose metrics cannot be read never counts as stalled."""
        now = self._clock()
        elapsed = min(now - self._checked_at, self._max_step)
        oldest, sent, answered = self._client.oldest_call, self._client.sent, self._client.answered
        has_waited = oldest is not None and oldest <= self._sent
        if answered != self._answered:
            self.reset()
        elif has_waited:
            await self._compare(elapsed, max_seconds)
        self._checked_at, self._sent, self._answered = now, sent, answered

    async def check_again(self, model: str, max_seconds: float) -> None:
        """As `check`, for a stalled server, whose calls have been cancelled: send a short one."""
        now = self._clock()
        elapsed = min(now - self._checked_at, self._max_step)
        if await self._client.answers(model, max_seconds):
            self.reset()
        else:
            self.stalled += elapsed
        self._checked_at = now

    def reset(self) -> None:
        """Begin anew: the server has made progress, or is another one."""
        self.stalled = 0.0
        self._figures = None

    async def _compare(self, elapsed: float, max_seconds: float) -> None:
        figures = await self._read_figures(max_seconds)
        if figures is None:
            return
        if figures == self._figures:
            self.stalled += elapsed
        else:
            self.stalled, self._figures = 0.0, figures

    async def _read_figures(self, max_seconds: float) -> tuple[bytes, ...] | None:
        try:
            status, body = await self._client.get(self._client.address.metrics, max_seconds)
        except (aiohttp.ClientError, OSError):
            return None
        figures = tuple(line for line in body.splitlines() if line.startswith(_FIGURES))
        return figures if status == HTTPStatus.OK and figures else None
