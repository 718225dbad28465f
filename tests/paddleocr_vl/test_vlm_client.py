"""The vLLM client, against a misbehaving server on a real socket."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from ocr_service.core.errors import OcrError, RecognitionFailed, VlmTimeout, VlmUnavailable
from ocr_service.engines.paddleocr_vl.vlm_address import VlmAddress
from ocr_service.engines.paddleocr_vl.vlm_client import Completion, VlmClient
from tests.http.peers import whole_request

pytestmark = pytest.mark.anyio

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

TEXT = Completion("текст")
COMPLETION = json.dumps({"choices": [{"message": {"content": "текст"}}]}).encode()


class Server:
    """A server that reads whole requests, gives the configured response, and records the requests.

    respond: called with the number of the request, from 1; returns the whole response, or None to close the
    connection.
    """

    def __init__(self, respond: Callable[[int], Awaitable[bytes | None]]) -> None:
        self._respond = respond
        self.requests: list[bytes] = []
        self.connections = 0
        self.received = asyncio.Event()
        self.hung_up = asyncio.Event()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                self.requests.append(await whole_request(reader))
                self.received.set()
                answering = asyncio.ensure_future(self._respond(len(self.requests)))
                leaving = asyncio.ensure_future(reader.read(1))
                await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
                if not answering.done():
                    answering.cancel()
                    self.hung_up.set()
                    return
                leaving.cancel()
                await asyncio.gather(leaving, return_exceptions=True)
                answer = answering.result()
                if answer is None:
                    return
                writer.write(answer)
                await writer.drain()
        except asyncio.IncompleteReadError:
            self.hung_up.set()
        finally:
            writer.close()


def http(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Content-Type: application/json", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def always(answer: bytes | None) -> Callable[[int], Awaitable[bytes | None]]:
    async def respond(_: int) -> bytes | None:
        return answer

    return respond


async def never(_: int) -> bytes | None:
    await asyncio.Event().wait()
    return None


@asynccontextmanager
async def talking(
    respond: Callable[[int], Awaitable[bytes | None]],
    limit: float = 120,
    at_once: int = 4,
    key: str | None = None,
) -> AsyncIterator[tuple[VlmClient, Server]]:
    server = Server(respond)
    listening = await asyncio.start_server(server.handle, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    client = VlmClient(VlmAddress(f"http://127.0.0.1:{port}/v1", key), limit, at_once)
    try:
        yield client, server
    finally:
        await client.close()
        listening.close()
        await listening.wait_closed()


async def test_result_is_the_text_of_the_completion() -> None:
    async with talking(always(http("200 OK", COMPLETION)), key="a key") as (client, server):
        assert await client.complete(b'{"number": 1}') == TEXT
        assert await client.complete(b'{"number": 2}') == TEXT
    assert server.connections == 1, "connections are not reused"
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/chat/completions HTTP/1.1")
    assert b"authorization: bearer a key" in head.lower()
    assert body == b'{"number": 1}'


@pytest.mark.parametrize(
    ("reason", "known"),
    [("stop", "stop"), ("length", "length"), ("repetition", "repetition"), (None, "stop")],
)
async def test_result_has_the_reason_why_the_text_ends(reason: str | None, known: str) -> None:
    answer = json.dumps({"choices": [{"message": {"content": "текст"}, "finish_reason": reason}]})
    async with talking(always(http("200 OK", answer.encode()))) as (client, _):
        assert await client.complete(b"{}") == Completion("текст", known)


async def test_large_block_is_sent_without_a_warning() -> None:
    """A whole page as one block; a warning of aiohttp is an error in the tests."""
    body = b"x" * (2**20 + 1)
    async with talking(always(http("200 OK", COMPLETION))) as (client, server):
        await client.complete(body)
    head, _, received = server.requests[0].partition(b"\r\n\r\n")
    assert received == body and f"content-length: {len(body)}".encode() in head.lower()


@pytest.mark.parametrize("content", [b'""', b"null"])
async def test_empty_completion_is_not_an_error(content: bytes) -> None:
    answer = b'{"choices": [{"message": {"content": ' + content + b"}}]}"
    async with talking(always(http("200 OK", answer))) as (client, _):
        assert await client.complete(b"{}") == Completion("")


@pytest.mark.parametrize(
    "answer",
    [
        http("200 OK", b'{"choices": ['),
        http("200 OK", b'{"choices": []}'),
        http("200 OK", b"<html>"),
        http("200 OK", b"[]"),
        http("200 OK", b'{"choices": ["text"]}'),
        http("307 Temporary Redirect", b"", "Location: http://127.0.0.1:9/"),
        http("401 Unauthorized"),
        http("404 Not Found"),
        http("429 Too Many Requests"),
        http("500 Internal Server Error", b'{"error": "out of memory"}'),
        http("503 Service Unavailable"),
        http("520 Web Server Returned an Unknown Error"),
        b"garbage\r\n\r\n",
    ],
    ids=lambda answer: answer[:40].decode(),
)
async def test_responses_that_make_vllm_unavailable(answer: bytes) -> None:
    async with talking(always(answer)) as (client, server):
        with pytest.raises(VlmUnavailable):
            await client.complete(b"{}")
    assert len(server.requests) == 1, "a call is retried although its connection did not break"


@pytest.mark.parametrize("status", ["400 Bad Request", "413 Too Large", "422 Unprocessable"])
async def test_refused_picture_fails_alone(status: str) -> None:
    async with talking(always(http(status))) as (client, server):
        with pytest.raises(RecognitionFailed):
            await client.complete(b"{}")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "message", "detail"),
    [
        (400, "This model's maximum context length is 9 tokens.", "its image and max_new_tokens exceed"),
        (500, "image file is truncated (15 bytes not processed)", "refused the image of the block (500)"),
        (500, "Image size (9 pixels) exceeds limit of 8 pixels", "refused the image of the block (500)"),
    ],
)
async def test_error_of_one_block_is_known_by_its_message(status: int, message: str, detail: str) -> None:
    body = json.dumps({"error": {"message": message, "code": status}}).encode()
    async with talking(always(http(f"{status} Error", body))) as (client, _):
        with pytest.raises(RecognitionFailed) as caught:
            await client.complete(b"{}")
    assert detail in caught.value.detail


async def test_reason_of_a_refusal_is_logged_once_without_the_document(
    caplog: pytest.LogCaptureFixture,
) -> None:
    picture = "data:image/jpeg;base64," + "A" * 100

    async def refuse(number: int) -> bytes:
        message = f"Failed {number}: size {number} of {picture} with 'Secret' text at 0x7F{number}"
        return http("400 Bad Request", json.dumps({"error": {"message": message}}).encode())

    async with talking(refuse) as (client, _):
        for _ in range(3):
            with pytest.raises(RecognitionFailed):
                await client.complete(b"{}")
    assert [record.message for record in caplog.records] == [
        "vLLM refused a block: Failed 1: size 1 of … with … text at …"
    ]


async def test_broken_connection_is_retried_once_before_a_response() -> None:
    async def second_time(number: int) -> bytes | None:
        return http("200 OK", COMPLETION) if number > 1 else None

    async with talking(second_time) as (client, server):
        assert await client.complete(b"{}") == TEXT
    assert len(server.requests) == 2
    async with talking(always(None)) as (client, server):
        with pytest.raises(VlmUnavailable):
            await client.complete(b"{}")
    assert len(server.requests) == 2


async def test_truncated_response_is_not_retried() -> None:
    cut = http("200 OK", COMPLETION)[:-5]

    async def break_off(_: int) -> bytes | None:
        return cut

    server = Server(break_off)

    async def answer_and_leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.requests.append(await whole_request(reader))
        writer.write(cut)
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(answer_and_leave, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    client = VlmClient(VlmAddress(f"http://127.0.0.1:{port}/v1"), 120, 4)
    with pytest.raises(VlmUnavailable):
        await client.complete(b"{}")
    assert len(server.requests) == 1
    await client.close()
    listening.close()


async def test_connection_refused_is_unavailable() -> None:
    client = VlmClient(VlmAddress("http://127.0.0.1:9/v1"), 120, 4)
    with pytest.raises(VlmUnavailable, match="refused"):
        await client.complete(b"{}")
    await client.close()


async def test_unanswered_call_ends_at_its_deadline() -> None:
    async with talking(never, limit=1) as (client, server):
        with pytest.raises(VlmTimeout, match=r"1 s"):
            await client.complete(b"{}")
        await server.hung_up.wait()


async def test_cancelled_call_closes_its_connection() -> None:
    async with talking(never) as (client, server):
        call = asyncio.create_task(client.complete(b"{}"))
        await server.received.wait()
        call.cancel()
        await server.hung_up.wait()
        with pytest.raises(asyncio.CancelledError):
            await call


async def test_calls_in_flight_fail_when_vllm_is_unavailable() -> None:
    async with talking(never) as (client, server):
        call = asyncio.create_task(client.complete(b"{}"))
        await server.received.wait()
        client.cancel_calls("it is silent")
        with pytest.raises(VlmUnavailable, match="it is silent"):
            await call


async def test_waiting_calls_fail_when_vllm_is_unavailable() -> None:
    async with talking(never, at_once=1) as (client, server):
        calls = [asyncio.create_task(client.complete(b"{}")) for _ in range(4)]
        await server.received.wait()
        client.cancel_calls("it is silent")
        for outcome in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(outcome, VlmUnavailable)
        client.allow_calls()
    assert len(server.requests) == 1


async def test_waiting_calls_fail_without_being_sent_after_a_timeout() -> None:
    async with talking(never, limit=1, at_once=2) as (client, server):
        calls = [client.complete(b"{}") for _ in range(20)]
        for outcome in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(outcome, VlmTimeout)
        assert len(server.requests) == 2
        # If a call comes later, it is sent.
        with pytest.raises(VlmTimeout):
            await client.complete(b"{}")
        assert len(server.requests) == 3


async def test_reset_connection_is_retried_once_before_a_response() -> None:
    requests: list[bytes] = []

    async def reset_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await whole_request(reader))
        if len(requests) == 1:
            # With SO_LINGER 0, closing sends a reset.
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        else:
            writer.write(http("200 OK", COMPLETION))
        writer.close()

    listening = await asyncio.start_server(reset_first, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    client = VlmClient(VlmAddress(f"http://127.0.0.1:{port}/v1"), 120, 4)
    assert await client.complete(b"{}") == TEXT
    assert len(requests) == 2
    await client.close()
    listening.close()


async def test_lone_surrogate_is_replaced() -> None:
    answer = rb'{"choices": [{"message": {"content": "a\ud800b"}}]}'
    async with talking(always(http("200 OK", answer))) as (client, _):
        assert await client.complete(b"{}") == Completion("a?b")


@pytest.mark.parametrize(
    ("url", "key", "header"),
    [
        ("http://host/v1", None, {}),
        ("http://host/v1", "k", {"Authorization": "Bearer k"}),
        ("http://me:p%40ss@host/v1", None, {"Authorization": "Basic bWU6cEBzcw=="}),
        ("http://me:pass@host/v1", "k", {"Authorization": "Bearer k"}),
    ],
)
def test_credentials_of_the_vlm_server(url: str, key: str | None, header: dict[str, str]) -> None:
    address = VlmAddress(url, key)
    assert address.authorization == header
    assert address.api("models") == "http://host/v1/models"


async def test_concurrent_calls_are_limited() -> None:
    inside, most = 0, 0
    release = asyncio.Event()

    async def count(_: int) -> bytes | None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        if inside == 3:
            release.set()
        await release.wait()
        inside -= 1
        return http("200 OK", COMPLETION)

    async with talking(count, at_once=3) as (client, _):
        assert await asyncio.gather(*(client.complete(b"{}") for _ in range(9))) == [TEXT] * 9
    assert most == 3


@pytest.mark.parametrize(
    ("url", "shown", "health"),
    [
        ("http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/v1", "http://127.0.0.1:8080/health"),
        ("http://host/v1/", "http://host/v1/", "http://host/health"),
        ("http://me:secret@host:1/v1", "http://host:1/v1", "http://host:1/health"),
        ("http://host/v1?key=secret", "http://host/v1", "http://host/health?key=secret"),
        ("https://host/gateway", "https://host/gateway", "https://host/gateway/health"),
    ],
)
def test_addresses(url: str, shown: str, health: str) -> None:
    address = VlmAddress(url)
    assert (address.without_credentials, address.health) == (shown, health)
    assert "secret" not in repr(VlmAddress("http://me:secret@host/v1", "secret"))


def test_every_kind_of_error_has_a_message() -> None:
    assert issubclass(VlmUnavailable, OcrError) and VlmUnavailable.status == 503
    assert issubclass(VlmTimeout, OcrError) and VlmTimeout.status == 504
