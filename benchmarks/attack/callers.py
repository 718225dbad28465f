"""Callers that attacks are made of: many requests at a time, and raw connections."""

import http.client
import socket
import threading
from collections import Counter
from collections.abc import Callable
from multiprocessing.synchronize import Event

Address = tuple[str, int]
Outcomes = Counter[str]

CUT_OFF = "cut off"
_SECONDS = 120.0


def post(address: Address, path: str, body: bytes, media_type: str = "application/octet-stream") -> str:
    """Send a request and read its answer; return the status, or how it ended."""
    connection = http.client.HTTPConnection(*address, timeout=_SECONDS)
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
    return outcomes


def connect(address: Address, head: bytes, receive_buffer: int = 0) -> socket.socket:
    """Connect and send the start of a request. receive_buffer: size in bytes; 0 for the usual one."""
    opened = socket.socket()
    if receive_buffer:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    opened.settimeout(_SECONDS)
    opened.connect(address)
    opened.sendall(head)
    return opened


def head(path: str, length: int, media_type: str = "application/octet-stream") -> bytes:
    """Return the headers of a POST."""
    lines = [f"POST {path} HTTP/1.1", "Host: attack", f"Content-Type: {media_type}"]
    return "\r\n".join([*lines, f"Content-Length: {length}", "", ""]).encode()


def ends(opened: list[socket.socket], stop: Event) -> Outcomes:
    """Wait for the end, then count the connections that the service has closed or answered, by status."""
    stop.wait()
    outcomes: Outcomes = Counter()
    for each in opened:
        each.setblocking(False)
        try:
            start = each.recv(12)
            outcomes[start[9:12].decode("ascii", "replace") if start else CUT_OFF] += 1
        except BlockingIOError:
            outcomes["held"] += 1
        except OSError:
            outcomes[CUT_OFF] += 1
        each.close()
    return outcomes
