"""What a connection may cost before and after the app sees its request: uvicorn's HTTP protocol, with limits.

`uvicorn --http ocr_service.runtime.connections:Connection`, or `UVICORN_HTTP`, as start.sh has it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

STATE_KEY = "connection_limits"

_MOST_HEADER_BYTES = 64 * 1024
_HEADERS_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """header_seconds: until a request's headers are complete. answer_idle_seconds: without it being read.

    discard_seconds: for the rest of a body that nobody wants, once its request has been answered.
    """

    header_seconds: float
    answer_idle_seconds: float
    discard_seconds: float


class Connection(HttpToolsProtocol):
    """One caller's connection; it answers one request at a time.

    Its limits come from the app: from its lifespan's state, under STATE_KEY.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        limits = self.app_state.get(STATE_KEY)
        assert isinstance(limits, ConnectionLimits)
        self._limits = limits
        self._timer: asyncio.TimerHandle | None = None
        self._reading_timer: asyncio.TimerHandle | None = None
        self._is_receiving = False
        self._is_last = False
        self._closes = False
        # Since the last piece of a body, or the last request's end: of headers, or of what follows a body.
        self._header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request's headers."""
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._stop_timer()
        self._stop_reading_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Refuse headers without end, those included that may follow a body in chunks."""
        if self._is_last:
            return
        self._header_bytes += len(data)
        super().data_received(data)
        if self._header_bytes > _MOST_HEADER_BYTES and not self.transport.is_closing():
            if self._answers:
                self.transport.abort()
            else:
                self.transport.write(_HEADERS_TOO_LARGE)
                self.transport.close()

    def on_message_begin(self) -> None:
        """Wait for the headers of a further request."""
        if self._answers:
            # Requests sent ahead would pile up, and hide from the first one that its caller leaves.
            self._is_last = True
            self.cycle.keep_alive = False
            return
        super().on_message_begin()
        self._is_receiving = True
        if not self.flow.write_paused:
            self._stop_reading_timer()
        self._expect_headers()

    def on_url(self, url: bytes) -> None:
        """Leave alone what comes after the last request, as all below."""
        if not self._is_last:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        if not self._is_last:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Leave the body to the app."""
        if not self._is_last:
            self._stop_timer()
            super().on_headers_complete()
            self.cycle.transport = _ClosingLate(self.transport, self._close)

    def on_body(self, body: bytes) -> None:
        """Pass a piece of a body on."""
        self._header_bytes = 0
        if not self._is_last:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Notice the request's end."""
        if self._is_last:
            return
        super().on_message_complete()
        self._is_receiving = False
        self._header_bytes = 0
        if self._answers:
            self._stop_timer()
        elif self._closes:
            self.transport.close()
        else:
            # What remained of a body whose request was answered before its end.
            self._expect_headers(self.timeout_keep_alive)

    def on_response_complete(self) -> None:
        """Give the rest of the request a while, or the next one's headers."""
        super().on_response_complete()
        if self._is_receiving:
            self._close_after(self._limits.discard_seconds)
        else:
            self._expect_headers(self.timeout_keep_alive)

    def pause_writing(self) -> None:
        """Watch that the answer is read."""
        super().pause_writing()
        self._expect_reading(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Notice that the answer is read."""
        self._stop_reading_timer()
        super().resume_writing()

    def _close(self) -> None:
        """Close after an answer; who is still sending would not see it if that were at once."""
        if not self._is_receiving:
            self.transport.close()
            return
        self._closes = True
        if self.transport.can_write_eof():
            self.transport.write_eof()

    @property
    def _answers(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _expect_headers(self, idle_seconds: float = 0) -> None:
        self._close_after(idle_seconds + self._limits.header_seconds)

    def _close_after(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, self._close_unless_unread, seconds)

    def _close_unless_unread(self, seconds: float) -> None:
        unread = self.transport.get_write_buffer_size()
        if not unread:
            self.transport.abort()
            return
        # Whoever still reads the last answer need not ask anything yet.
        if self._reading_timer is None:
            self._expect_reading(unread)
        self._close_after(seconds)

    def _expect_reading(self, unread: int) -> None:
        self._stop_reading_timer()
        self._reading_timer = self.loop.call_later(
            self._limits.answer_idle_seconds, self._abort_unless_read, unread
        )

    def _abort_unless_read(self, unread: int) -> None:
        self._reading_timer = None
        left = self.transport.get_write_buffer_size()
        if left >= unread:
            # Closing would wait for what is unread to be read.
            self.transport.abort()
        elif left:
            self._expect_reading(left)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_reading_timer(self) -> None:
        if self._reading_timer is not None:
            self._reading_timer.cancel()
            self._reading_timer = None


class _ClosingLate(asyncio.Transport):
    """The transport as whoever sends an answer sees it. close: called in place of the real one's."""

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        super().__init__()
        self._transport = transport
        self._close = close

    def write(self, data: Any) -> None:
        self._transport.write(data)

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def close(self) -> None:
        self._close()
