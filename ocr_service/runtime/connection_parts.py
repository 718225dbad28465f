"""Parts of uvicorn around a connection, with other rules for the pause of reading and for the end."""

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl


class HeldFlow(FlowControl):
    """Reads nothing more while earlier data is not parsed."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__(transport)
        self._is_held = False

    def hold(self) -> None:
        """Stop reading until the release, whatever the app asks for."""
        self._is_held = True
        self.pause_reading()

    def release(self) -> None:
        """Read again if the hold was the reason for the pause."""
        if self._is_held:
            self._is_held = False
            self.resume_reading()

    def resume_reading(self) -> None:
        """Read again, but not before the release."""
        if not self._is_held:
            super().resume_reading()


class DelayedClose(asyncio.Transport):
    """A transport for the sender of an answer. close: replaces the `close` of the real transport."""

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        super().__init__()
        self._transport = transport
        self._close = close

    def write(self, data: Any) -> None:
        """Send bytes."""
        self._transport.write(data)

    def is_closing(self) -> bool:
        """Whether the connection ends."""
        return self._transport.is_closing()

    def close(self) -> None:
        """End the connection after the answer."""
        self._close()
