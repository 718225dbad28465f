"""An app on a real uvicorn and socket in a thread, for tests that send the same requests to two apps."""

import socket
import threading
from types import TracebackType
from typing import Any, Self

import httpx
import uvicorn

from tests.running import NO_CERTIFICATES


class ThreadedServer:
    """Runs the app while the `with` block lasts; `client` is connected to it."""

    def __init__(self, app: Any) -> None:
        self._server = uvicorn.Server(uvicorn.Config(app, log_config=None))
        self._listener = socket.socket()
        self._thread = threading.Thread(target=self._server.run, args=([self._listener],))

    def __enter__(self) -> Self:
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self._thread.start()
        # The socket listens already, so the first request waits for the app without polling.
        port = self._listener.getsockname()[1]
        # If the app fails on a connection, uvicorn closes it, so each request opens a new one.
        limits = httpx.Limits(max_keepalive_connections=0)
        url = f"http://127.0.0.1:{port}"
        self.client = httpx.Client(base_url=url, timeout=120, limits=limits, verify=NO_CERTIFICATES)
        self.client.get("/health").raise_for_status()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()
        self._server.should_exit = True
        self._thread.join()
