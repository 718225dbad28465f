"""The app with a fake engine, served by a real uvicorn on a real socket in the event loop of the test."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn

from ocr_service.core.engine import Engine
from ocr_service.core.storage import Storage
from ocr_service.runtime.connections import Connection
from server import create_app
from tests.running import NO_CERTIFICATES
from tests.settings import settings_of


@asynccontextmanager
async def serving(
    engine: Engine, storage: Storage | None = None, port: int = 0, **settings: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """Serve the app on a port; 0 for a free one."""
    # Each request must reach the engine, unless the test concerns the cache.
    app = create_app(settings_of(**{"ocr_cache_lifetime": 0, **settings}), engine, storage)
    # asyncio disables Nagle's algorithm only if the protocol of the socket is TCP.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen()
    server = uvicorn.Server(uvicorn.Config(app, http=Connection, ws="none", log_config=None))
    running = asyncio.create_task(server.serve(sockets=[listener]))
    port = listener.getsockname()[1]
    try:
        # The socket already listens, so the first request waits for the app without polling.
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, timeout=120, verify=NO_CERTIFICATES) as client:
            yield client
    finally:
        server.should_exit = True
        await running
