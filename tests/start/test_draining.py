"""SIGTERM under load, as a container receives it."""

import socket
from contextlib import ExitStack

import httpx

from tests.running import RunningStart
from tests.samples import pdf_of_text

CLIENTS = 12


def upload(document: bytes) -> bytes:
    part = b'--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n'
    body = part + document + b"\r\n--b--\r\n"
    head = (
        "POST /ocr?cache=false&text_layer=never HTTP/1.1\r\nhost: x\r\n"
        "content-type: multipart/form-data; boundary=b\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def test_draining_under_load_finishes_every_accepted_request() -> None:
    document = upload(pdf_of_text(["Договор поставки", "Приложение"], size=(298, 421)))
    with RunningStart(OCR_DRAIN_TIMEOUT="100") as start, ExitStack() as stack:
        address = httpx.URL(start.url)
        clients = [
            stack.enter_context(socket.create_connection((address.host, address.port or 0), timeout=120))
            for _ in range(CLIENTS)
        ]
        # The last request is not complete before the service has been seen to drain.
        for client in clients[:-1]:
            client.sendall(document)
        clients[-1].sendall(document[:-1])
        # This later request is answered, so the service has accepted the earlier ones.
        start.get("/version").raise_for_status()
        start.process.terminate()
        start.wait_for("stopping: waiting for [0-9]+ running requests")
        assert start.get("/health").status_code == 200
        assert start.get("/health/ready").status_code == 503
        refused = httpx.post(f"{start.url}/ocr", files={"file": b"x"}, timeout=120)
        clients[-1].sendall(document[-1:])
        answers = [client.makefile("rb").readline() for client in clients]
        code = start.process.wait(timeout=120)
    assert (refused.status_code, refused.headers["connection"]) == (503, "close")
    assert answers == [b"HTTP/1.1 200 OK\r\n"] * CLIENTS
    assert code == 0
