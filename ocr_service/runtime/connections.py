"""The HTTP protocol of uvicorn, with limits on slow clients, idle connections and large headers.

It ignores an offer of another protocol, such as HTTP/2 from Java's HttpClient and from `curl --http2`.

Use it with `uvicorn --http ocr_service.runtime.connections:Connection`; start.sh sets `UVICORN_HTTP`.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ocr_service.runtime.connection_parts import DelayedClose, HeldFlow
from ocr_service.runtime.open_connections import OpenConnections
from ocr_service.runtime.pace import Pace
from ocr_service.runtime.settings import ConnectionSettings

STATE_KEY = "connection_limits"

# Bounds as in other servers: the app reads all headers and the whole query of each request. Fields are both.
_MAX_HEADER_BYTES = 16 * 1024
_MAX_FIELDS = 128
_HEADERS_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)
# The parser calls back for each chunk of a body and cannot be stopped, so it gets the data in slices.
# After a slice with more chunks than this, the next one waits for its turn.
_SLICE = 16 * 1024
_MANY_CHUNKS = 256
# Of these slices, of all connections together: each takes 1 ms.
_SECONDS_A_SLICE = 0.02


class _HeadersTooLarge(Exception):
    """There are too many headers, or they are too long."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Limits that connections share.

    discard_seconds: for the rest of a body whose request has been answered. open: all connections.
    small_chunks: the turns of the slices that have very many chunks.
    """

    settings: ConnectionSettings
    discard_seconds: float
    open: OpenConnections
    small_chunks: Pace = field(default_factory=lambda: Pace(_SECONDS_A_SLICE))


class Connection(HttpToolsProtocol):
    """A client connection. It answers one request at a time.

    The app passes the limits in its lifespan state under STATE_KEY.
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
        self._closes_after_body = False
        # Bytes since the last chunk of a body or the last request: headers or trailers.
        self._header_bytes = 0
        # Of the request line and the headers so far.
        self._head_bytes = self._head_fields = 0
        # Chunks of the body in this slice.
        self._chunks = 0
        self._next_slice: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timer for the headers of the first request."""
        super().connection_made(transport)
        self.flow = self._flow = HeldFlow(transport)
        self._limits.open.add(self)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers."""
        self._stop_timer()
        self._stop_reading_timer()
        if self._next_slice is not None:
            self._next_slice.cancel()
        self._limits.open.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse the data, a slice at a time."""
        self._unset_keepalive_if_required()
        self._parse_slices(memoryview(data))

    def on_message_begin(self) -> None:
        """Start the timer for the headers of the next request."""
        if self._is_answering:
            # Pipelined requests would fill the buffer and hide the disconnect of the client.
            self._is_last = True
            self.cycle.keep_alive = False
            return
        super().on_message_begin()
        self._is_receiving = True
        self._head_bytes = self._head_fields = 0
        if not self.flow.write_paused:
            self._stop_reading_timer()
        self._expect_headers()

    def on_url(self, url: bytes) -> None:
        """Ignore everything after the last request, here and in the methods below."""
        if not self._is_last:
            # Twice, because the escapes of a query are decoded one by one.
            self._count_head(2 * len(url), url.count(b"&"))
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store a header, but no cookies: nothing uses them, and FastAPI would parse them."""
        if not self._is_last:
            self._count_head(len(name) + len(value), 1)
            if name.lower() != b"cookie":
                super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Stop the timer: the app limits the time for the body."""
        if not self._is_last and not self._offers_upgrade:
            self._stop_timer()
            super().on_headers_complete()
            self.cycle.transport = DelayedClose(self.transport, self._close)

    def on_body(self, body: bytes) -> None:
        """Pass a chunk of the body on."""
        self._header_bytes = 0
        self._chunks += 1
        if not self._is_last:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Handle the end of a request."""
        if self._is_last or self._offers_upgrade:
            return
        super().on_message_complete()
        self._is_receiving = False
        self._header_bytes = 0
        if self._is_answering:
            self._stop_timer()
        elif self._closes_after_body:
            self.transport.close()
        else:
            # The answer was complete before the body.
            self._expect_headers(self.timeout_keep_alive)

    def on_response_complete(self) -> None:
        """Start the timer for the rest of the body, or for the headers of the next request."""
        super().on_response_complete()
        self._note_wait()
        if self._is_receiving:
            self._close_after(self._limits.discard_seconds)
        else:
            self._expect_headers(self.timeout_keep_alive)

    def pause_writing(self) -> None:
        """Start the timer for a client that does not read the answer."""
        super().pause_writing()
        self._expect_reading(self.unread)
        self._limits.open.stall(self)
        self._note_wait()

    def resume_writing(self) -> None:
        """Stop that timer: the client reads the answer."""
        self._stop_reading_timer()
        super().resume_writing()
        self._limits.open.read(self)
        self._note_wait()

    @property
    def unread(self) -> int:
        """Bytes of the answer that wait until the client reads them."""
        return self.transport.get_write_buffer_size()

    def abort(self) -> None:
        """Close the connection at once; `close` would wait until the client has read the rest."""
        self.transport.abort()

    def _note_wait(self) -> None:
        """Tell whether the service waits for the client from now on, or the client for the service."""
        if self.transport.is_closing():
            return
        if self._is_receiving or not self._is_answering or self.flow.write_paused:
            self._limits.open.wait(self)
        else:
            self._limits.open.work(self)

    def _parse_slices(self, data: memoryview) -> None:
        self._next_slice = None
        self._flow.release()
        while data and not self._is_last and not self.transport.is_closing():
            self._chunks = 0
            self._header_bytes += len(data[:_SLICE])
            self._parse(data[:_SLICE])
            self._refuse_large_headers()
            data = data[_SLICE:]
            if self._chunks > _MANY_CHUNKS:
                self._pause_before(data)
                break
        self._note_wait()

    def _pause_before(self, rest: memoryview) -> None:
        """Read and parse nothing more until it is the turn of this connection."""
        self._flow.hold()
        self._next_slice = self.loop.call_later(self._limits.small_chunks.pause(), self._parse_slices, rest)

    def _parse(self, data: bytes | memoryview) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as end_of_headers:
            if self._offers_upgrade and not self._is_last:
                self._parse_without_upgrade(bytes(data[end_of_headers.args[0] :]))
        except httptools.HttpParserError as error:
            if not isinstance(error.__context__, _HeadersTooLarge):
                self.send_400_response("Invalid HTTP request received.")

    def _count_head(self, size: int, fields: int) -> None:
        """Count a part of the head. Its error ends the parsing of the slice at once."""
        self._head_bytes += size
        self._head_fields += fields
        if self._head_bytes > _MAX_HEADER_BYTES or self._head_fields > _MAX_FIELDS:
            self._header_bytes = _MAX_HEADER_BYTES + 1
            raise _HeadersTooLarge

    def _refuse_large_headers(self) -> None:
        if self._header_bytes <= _MAX_HEADER_BYTES or self.transport.is_closing():
            return
        if self._is_answering:
            self.transport.abort()
        else:
            self.transport.write(_HEADERS_TOO_LARGE)
            self.transport.close()

    def _parse_without_upgrade(self, rest: bytes) -> None:
        """Parse the headers again without the offer, because the parser reads no body after an offer.

        RFC 9110, section 7.8: a server may ignore the header `Upgrade`.
        """
        version = self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)]
        lines += [b"%s: %s" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._parse(b"\r\n".join(lines) + b"\r\n\r\n" + rest)

    def _close(self) -> None:
        """Close after an answer. A client that still sends would lose the answer if that were at once."""
        if not self._is_receiving:
            self.transport.close()
            return
        self._closes_after_body = True
        if self.transport.can_write_eof():
            self.transport.write_eof()

    @property
    def _offers_upgrade(self) -> bool:
        # CONNECT asks for a tunnel instead, without the header.
        return self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _expect_headers(self, idle_seconds: float = 0) -> None:
        self._close_after(idle_seconds + self._limits.settings.header_timeout)

    def _close_after(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, self._close_unless_unread, seconds)

    def _close_unless_unread(self, seconds: float) -> None:
        unread = self.unread
        if not unread:
            self.transport.abort()
            return
        # The client still reads the last answer, so it need not send the next request yet.
        if self._reading_timer is None:
            self._expect_reading(unread)
        self._close_after(seconds)

    def _expect_reading(self, unread: int) -> None:
        self._stop_reading_timer()
        self._reading_timer = self.loop.call_later(
            self._limits.settings.answer_idle_timeout, self._abort_unless_read, unread
        )

    def _abort_unless_read(self, unread: int) -> None:
        self._reading_timer = None
        left = self.unread
        if left >= unread:
            self.abort()
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
