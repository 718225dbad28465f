"""The address of the service, and the log line with a usage hint at the end of the start."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

_UVICORN = logging.getLogger("uvicorn.error")
# The start of the message of uvicorn. Its arguments are the scheme, the host and the port.
_RUNNING = "Uvicorn running on %s://"
# A server can listen on these addresses, but a client cannot connect to them.
_ANY_HOST = ("0.0.0.0", "::")


@contextmanager
def listen_address() -> Iterator["asyncio.Future[str]"]:
    """Yield a future that gets the address when uvicorn listens. With another server it stays pending.

    uvicorn reports the moment and the port in its log only.
    """
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    handler = _LogHandler(address)
    _UVICORN.addHandler(handler)
    try:
        yield address
    finally:
        _UVICORN.removeHandler(handler)


def greeting(address: str, *, page: bool, key: bool) -> str:
    """Return a usage hint. page: `/` leads to the documentation. key: requests need an API key."""
    header = "-H 'X-API-Key: KEY' " if key else ""
    upload = f"curl {header}-F file=@examples/scan.jpg {address}/ocr"
    return f"Open {address}/ in a browser, or try: {upload}" if page else f"Try: {upload}"


class _LogHandler(logging.Handler):
    def __init__(self, address: "asyncio.Future[str]") -> None:
        super().__init__()
        self._address = address

    def emit(self, record: logging.LogRecord) -> None:
        # The message can be an exception: the port is in use, for example.
        running = str(record.msg).startswith(_RUNNING)
        if running and isinstance(record.args, tuple) and not self._address.done():
            self._address.set_result(_address(*record.args))


def _address(scheme: object, host: object, port: object) -> str:
    name = "localhost" if host in _ANY_HOST else f"[{host}]" if ":" in str(host) else host
    return f"{scheme}://{name}:{port}"
