"""The signal to stop, under load, as a container gets it."""

import socket
from contextlib import ExitStack

import httpx

from tests.running import RunningStart
from tests.samples import pdf_of_text

CALLERS = 12


def upload(document: bytes) -> bytes:
    part = b'--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n'
    body = part + document + b"\r\n--b--\r\n"
    head = (
        "POST /ocr?cache=false HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=b\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def test_no_request_that_was_accepted_is_lost() -> None:
    document = upload(pdf_of_text(["Договор поставки", "Приложение"]))
    with RunningStart() as start, ExitStack() as stack:
        address = httpx.URL(start.url)
        callers = [
            stack.enter_context(socket.create_connection((address.host, address.port or 0), timeout=60))
            for _ in range(CALLERS)
        ]
        for caller in callers:
            caller.sendall(document)
        # What comes after them is answered, so they have been seen.
        httpx.get(f"{start.url}/version").raise_for_status()
        start.process.terminate()
        start.wait_for("stopping: waiting for [0-9]+ running requests")
        assert httpx.get(f"{start.url}/health").status_code == 200
        assert httpx.get(f"{start.url}/health/ready").status_code == 503
        refused = httpx.post(f"{start.url}/ocr", files={"file": b"x"})
        answers = [caller.makefile("rb").readline() for caller in callers]
        code = start.process.wait(timeout=60)
    assert (refused.status_code, refused.headers["connection"]) == (503, "close")
    assert answers == [b"HTTP/1.1 200 OK\r\n"] * CALLERS
    assert code == 0
