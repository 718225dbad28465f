"""The event loop for uvicorn. Its servers listen on IPv4 and IPv6 if the address is `::`.

Use it with `uvicorn --loop ocr_service.runtime.event_loop:EventLoop`; start.sh sets `UVICORN_LOOP`.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import uvloop

_ALL_IPV4, _ALL_IPV6 = "0.0.0.0", "::"


class EventLoop(uvloop.Loop):
    """The loop of uvloop, which alone would limit a server on `::` to IPv6."""

    async def create_server(  # type: ignore[override]
        self, protocol_factory: Callable[[], asyncio.BaseProtocol], host: Any = None, **options: Any
    ) -> asyncio.AbstractServer:
        """Listen on the address. Two sockets, so that the address of an IPv4 client keeps its usual form."""
        if host == _ALL_IPV6:
            host = [_ALL_IPV6, _ALL_IPV4] if _has_ipv6() else _ALL_IPV4
        return await super().create_server(protocol_factory, host, **options)


def _has_ipv6() -> bool:
    """Whether a server can listen on IPv6; containers often have none."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind((_ALL_IPV6, 0))
    except OSError:
        return False
    return True
