"""Parts of `ocr-bulk`: the lazy listing, the tries, and the texts of options."""

import asyncio
import gc
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, cast
from weakref import WeakSet

import pytest

from ocr_service.bulk.cli import main
from ocr_service.bulk.errors import Away, CannotRun, DocumentFailed
from ocr_service.bulk.patience import Patience
from ocr_service.bulk.replica import Replica
from ocr_service.bulk.run import in_flight
from ocr_service.bulk.shards import Shard
from ocr_service.bulk.sources import BucketSource
from ocr_service.bulk.values import Wanted
from ocr_service.core.errors import StorageOutage, StorageRefusal
from ocr_service.core.storage import StoredObject

pytestmark = pytest.mark.anyio

PAGE = 1000


class Listed(list[StoredObject]):
    """A page of a listing, of which it is known whether it is still in memory."""

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)


class LargeBucket:
    """Stands in for a bucket with very many objects: it makes each page when it is asked for it.

    The objects of a page are one and the same, because making a million takes seconds.
    """

    bucket = "large"

    def __init__(self, objects: int) -> None:
        self._objects = objects
        self.pages = 0
        self.kept: WeakSet[Listed] = WeakSet()

    async def page(self, prefix: str, after: str) -> Sequence[StoredObject]:
        number = int(after.removeprefix(prefix) or -1) + 1
        if number * PAGE >= self._objects:
            return []
        self.pages += 1
        page = Listed([StoredObject(f"{prefix}{number:09}", "etag", 1)] * PAGE)
        self.kept.add(page)
        return page


async def test_many_keys_are_listed_page_by_page() -> None:
    bucket = LargeBucket(1_000_000)
    count = ahead = kept = 0
    async for _ in BucketSource(cast("Any", bucket), "in/", Patience(0)).documents():
        count += 1
        if count % PAGE == 1:
            ahead = max(ahead, bucket.pages * PAGE - count)
            kept = max(kept, len(bucket.kept))
    assert count == 1_000_000
    # Only the page that is being read is in memory.
    assert (ahead, kept) == (PAGE - 1, 1)


async def test_no_more_items_are_taken_than_are_in_flight() -> None:
    taken = 0

    async def numbers() -> Any:
        nonlocal taken
        for taken in range(1, 101):
            yield taken

    async def work(number: int) -> int:
        return number

    seen: list[int] = []
    async for number in in_flight(numbers(), work, 4):
        seen.append(number)
        assert taken <= len(seen) + 4
    assert sorted(seen) == list(range(1, 101))


async def test_other_failures_of_the_same_moment_are_not_printed(caplog: pytest.LogCaptureFixture) -> None:
    async def numbers() -> Any:
        for number in range(4):
            yield number

    async def work(number: int) -> None:
        raise CannotRun("each fails")

    with pytest.raises(CannotRun):
        async for _ in in_flight(numbers(), work, 4):
            pass
    gc.collect()
    assert "never retrieved" not in caplog.text


async def test_time_of_a_long_call_does_not_count() -> None:
    errors = iter((Away("the connection broke off"),))

    async def call() -> str:
        await asyncio.sleep(0.5)
        for error in errors:
            raise error
        return "done"

    assert await Patience(0.4)(call) == "done"


async def test_busy_service_is_waited_for_beyond_the_patience() -> None:
    tries = iter((Away("full", is_busy=True), Away("full", is_busy=True)))

    async def call() -> str:
        for error in tries:
            raise error
        return "done"

    assert await Patience(0.5)(call) == "done"


@pytest.mark.parametrize(
    "error", [Away("no answer"), StorageOutage("away"), StorageRefusal("wrong key")], ids=str
)
async def test_tries_end(error: Exception) -> None:
    async def call() -> None:
        raise error

    with pytest.raises(CannotRun, match=str(error)):
        await Patience(0.1)(call)


async def test_waiting_is_said_once_and_not_for_each_call(capsys: pytest.CaptureFixture[str]) -> None:
    async def call() -> None:
        raise Away("no answer")

    patience = Patience(0.5)
    ended = await asyncio.gather(*(patience(call) for _ in range(4)), return_exceptions=True)
    assert [type(each) for each in ended] == [CannotRun] * 4
    assert capsys.readouterr().err.count("waiting: no answer") == 1


class KilledDecoder(BaseHTTPRequestHandler):
    """Stands in for a service whose decoder is killed by this document, for want of memory."""

    def do_POST(self) -> None:
        # If bytes of a request are not read, the end of the connection is a reset.
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"code": "decoder_killed", "detail": "killed"}'
        self.send_response(503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


async def test_document_that_ends_the_decoder_fails_alone() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), KilledDecoder) as server:
        serving = Thread(target=server.serve_forever)
        serving.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}"
            async with Replica(url, None, "test", Patience(0.5)) as service:
                with pytest.raises(DocumentFailed, match="killed"):
                    await service.read("a.pdf", "a.pdf", b"%PDF", Wanted(["text"], {}), "key")
        finally:
            server.shutdown()
            serving.join()


def test_shard_depends_on_the_name_alone() -> None:
    # The parts of a run that was begun by an earlier release must stay the same.
    names = ["a.pdf", "b/скан.png", "c"]
    assert [next(index for index in range(7) if Shard(index, 7).has(name)) for name in names] == [2, 3, 1]


@pytest.mark.parametrize(
    "options",
    [
        ["--shard", "3/3"],
        ["--shard", "1"],
        ["--format", "doc"],
        ["--option", "x"],
        ["--limit", "0"],
        ["--ray", "--limit", "1"],
        ["--server", "ocr:8081"],
        ["--server", "http://[::"],
    ],
)
def test_wrong_usage(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["in", "out", *options], {})
    assert ended.value.code == 2
    assert options[0] in capsys.readouterr().err


def test_bucket_without_keys_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["s3://scans/in", "out"], {"CLOUDRU_S3_ENDPOINT": "http://127.0.0.1:1"}) == 1
    assert "CLOUDRU_S3_ACCESS_KEY" in capsys.readouterr().err
