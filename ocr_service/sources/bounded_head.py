"""Connections whose answers have a bounded head.

The parser of httpcore reads its lines on the event loop, without a pause.
"""

import ssl
from typing import Any

import httpcore

_MAX_HEAD = 16 * 1024
# Bytes that are read at once. An informational answer is parsed for each 18 of them.
_PIECE = 2 * 1024


class BoundedHead(httpcore.AsyncNetworkStream):
    """A connection that reads small pieces until the head of the answer has arrived."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._head_size = 0
        self._is_in_head = True

    def end_of_head(self) -> None:
        """Read without limits from now on."""
        self._is_in_head = False

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - the signature of the base class
        """Read some bytes; raises RemoteProtocolError if the head is too long."""
        if not self._is_in_head:
            return await self._stream.read(max_bytes, timeout)
        data = await self._stream.read(min(max_bytes, _PIECE), timeout)
        self._head_size += len(data)
        if self._head_size > _MAX_HEAD:
            raise httpcore.RemoteProtocolError("The head of the answer is too long.")
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - the signature of the base class
        """Send all bytes."""
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature of the base class
    ) -> httpcore.AsyncNetworkStream:
        """Return the connection inside TLS."""
        return BoundedHead(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """Return a property of the connection."""
        return self._stream.get_extra_info(info)
