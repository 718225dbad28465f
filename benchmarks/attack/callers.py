"""Callers that attacks are made of: many requests at a time, and raw connections."""

import http.client
import socket
import threading
from collections import Counter
from collections.abc import Callable
from multiprocessing.synchronize import Event

from benchmarks.attack.beside import begin

Address = tuple[str, int]
Outcomes = Counter[str]

# Of the attackers; the honest caller has the usual one, 127.0.0.1.
_SOURCE = ("127.0.0.2", 0)
CUT_OFF = "cut off"
_SECONDS = 120.0
_CHUNK = 2**16
# The place of the status in "HTTP/1.1 200 OK".
_STATUS, _STATUS_END = 9, 12


def post(address: Address, path: str, body: bytes, media_type: str = "application/octet-stream") -> str:
    """Send a request of the attack, which begins with the first, as `ask` does."""
    begin()
    return ask(address, path, body, media_type)


def ask(address: Address, path: str, body: bytes, media_type: str = "application/octet-stream") -> str:
    """Send a request and read its answer; return the status, or how it ended."""
    connection = http.client.HTTPConnection(*address, timeout=_SECONDS, source_address=_SOURCE)
    try:
        connection.request("POST", path, body, {"Content-Type": media_type})
        answer = connection.getresponse()
        answer.read()
        return str(answer.status)
    except TimeoutError:
        return "no answer"
    except (OSError, http.client.HTTPException):
        return CUT_OFF
    finally:
        connection.close()


def send(address: Address, request: bytes) -> str:
    """Send the bytes of a request that closes its connection; return the status, or how it ended."""
    try:
        with connect(address, request) as opened:
            status = opened.recv(_STATUS_END)[_STATUS:].decode("ascii", "replace")
            while opened.recv(_CHUNK):
                continue
    except TimeoutError:
        return "no answer"
    except OSError:
        return CUT_OFF
    return status or CUT_OFF


def repeat(call: Callable[[], str], callers: int, stop: Event) -> Outcomes:
    """Let so many callers repeat a call; count what it returns."""
    outcomes: Outcomes = Counter()

    def run() -> None:
        while not stop.is_set():
            outcomes[call()] += 1

    threads = [threading.Thread(target=run, daemon=True) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive() and not stop.is_set():
            thread.join(0.2)
    outcomes["not answered yet"] = sum(thread.is_alive() for thread in threads)
    return outcomes


def connect(address: Address, head: bytes, receive_buffer: int = 0) -> socket.socket:
    """Connect and send the start of a request. receive_buffer: size in bytes; 0 for the usual one."""
    begin()
    opened = socket.socket()
    if receive_buffer:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    opened.settimeout(_SECONDS)
    opened.bind(_SOURCE)
    opened.connect(address)
    opened.sendall(head)
    return opened


def head(path: str, length: int, media_type: str = "application/octet-stream") -> bytes:
    """Return the headers of a POST."""
    lines = [f"POST {path} HTTP/1.1", "Host: attack", f"Content-Type: {media_type}"]
    return "\r\n".join([*lines, f"Content-Length: {length}", "", ""]).encode()


def ends(opened: list[socket.socket], stop: Event) -> Outcomes:
    """Wait for the end, then count the connections by the status of their answers, or as held or cut off."""
    stop.wait()
    return Counter(map(_end, opened))


def _end(opened: socket.socket) -> str:
    status = "held"
    with opened:
        opened.setblocking(False)
        try:
            start = opened.recv(_STATUS_END)
            status = start[_STATUS:].decode("ascii", "replace") if start else CUT_OFF
            # A connection that was reset has its last bytes before the error.
            while opened.recv(_CHUNK):
                continue
        except BlockingIOError:
            pass
        except OSError:
            return CUT_OFF
    return status
