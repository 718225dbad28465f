"""The address at which the service can be reached, and the line that says so at the end of the start."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

_UVICORN = logging.getLogger("uvicorn.error")
# The beginning of its message, whose arguments are the scheme, the host and the port.
_RUNNING = "Uvicorn running on %s://"
# An address to listen on that nobody can connect to.
_ANY_HOST = ("0.0.0.0", "::")


@contextmanager
def listen_address() -> Iterator["asyncio.Future[str]"]:
    """Inside, the future gets the address once uvicorn listens; with another server it stays pending.

    uvicorn tells its log alone when it listens, and on which port.
    """
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    handler = _Listener(address)
    _UVICORN.addHandler(handler)
    try:
        yield address
    finally:
        _UVICORN.removeHandler(handler)


def greeting(address: str, *, page: bool, key: bool) -> str:
    """Say how to use the service there. page: whether `/` shows something. key: whether requests need one."""
    header = "-H 'X-API-Key: KEY' " if key else ""
    upload = f"curl {header}-F file=@examples/scan.jpg {address}/ocr"
    return f"Open {address}/ in a browser, or try: {upload}" if page else f"Try: {upload}"


class _Listener(logging.Handler):
    def __init__(self, address: "asyncio.Future[str]") -> None:
        super().__init__()
        self._address = address

    def emit(self, record: logging.LogRecord) -> None:
        if not self._address.done() and record.msg.startswith(_RUNNING) and isinstance(record.args, tuple):
            self._address.set_result(_address(*record.args))


def _address(scheme: object, host: object, port: object) -> str:
    name = "localhost" if host in _ANY_HOST else f"[{host}]" if ":" in str(host) else host
    return f"{scheme}://{name}:{port}"
