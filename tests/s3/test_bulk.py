"""`ocr-bulk` on a bucket: the documents go from it to the service, and results name their document."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ocr_service.bulk.cli import main
from ocr_service.bulk.patience import Patience
from ocr_service.bulk.reading import DocumentReader
from ocr_service.bulk.replica import Replica
from ocr_service.bulk.results import FolderResults
from ocr_service.bulk.sources import BucketSource
from ocr_service.bulk.values import Document, Outcome, State, Wanted
from s3_storage import S3Storage
from tests.running import RunningProgram
from tests.s3.counting import CountingProxy
from tests.s3.stores import BUCKET, Store
from tests.s3.test_faults import service
from tests.s3.using import storage_of
from tests.samples import pdf_of_text

PAGE = pdf_of_text(["page"], size=(100, 100))


@pytest.fixture(scope="module")
def replica(over_http: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProgram]:
    with service(over_http, tmp_path_factory.mktemp("service"), store_timeout=120) as running:
        running.wait_for("jobs are available", timeout=120)
        yield running


@pytest.fixture
def prefix() -> str:
    # The bucket outlives the test.
    return f"архив {uuid.uuid4().hex}"


def fill(store: Store, prefix: str, contents: dict[str, bytes]) -> None:
    client = store.client()
    for name, content in contents.items():
        client.put_object(Bucket=BUCKET, Key=f"{prefix}/in/{name}", Body=content)


def run(store: Store, replica: RunningProgram, prefix: str, *options: str) -> int:
    places = [f"s3://{BUCKET}/{prefix}/{part}/" for part in ("in", "out")]
    return main([*places, "--server", replica.url, *options], store.settings)


def results(store: Store, prefix: str) -> dict[str, bytes]:
    found = store.objects(f"{prefix}/out/")
    return {key.removeprefix(f"{prefix}/out/"): content for key, content in found.items()}


def test_documents_of_a_bucket_are_read_once(
    over_http: Store, replica: RunningProgram, prefix: str, tmp_path: Path
) -> None:
    # An empty object as consoles make it for a folder.
    fill(over_http, prefix, {"": b"", "а/скан № 1+&.pdf": PAGE, "b.pdf": PAGE, "c.pdf": b"%PDF-1.4 broken"})
    assert run(over_http, replica, prefix) == 3
    found = results(over_http, prefix)
    assert found.keys() == {
        "а/скан № 1+&.pdf.json",
        "а/скан № 1+&.pdf.md",
        "b.pdf.json",
        "b.pdf.md",
        "c.pdf.failed.json",
    }
    assert found["b.pdf.md"] == b"**page 1**"
    assert json.loads(found["c.pdf.failed.json"])["code"] == "broken_document"
    report = tmp_path / "report.ndjson"
    fill(over_http, prefix, {"b.pdf": pdf_of_text(["a", "b"], size=(100, 100)), "new.pdf": PAGE})
    assert run(over_http, replica, prefix, "--report", str(report)) == 3
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    assert {line["document"]: line["pages"] for line in lines if not line["skipped"]} == {
        "b.pdf": 2,
        "new.pdf": 1,
    }


def test_result_names_its_document(over_http: Store, replica: RunningProgram, prefix: str) -> None:
    fill(over_http, prefix, {"a.pdf": PAGE})
    assert run(over_http, replica, prefix, "--format", "text") == 0
    client = over_http.client()
    source = client.head_object(Bucket=BUCKET, Key=f"{prefix}/in/a.pdf")
    result = client.head_object(Bucket=BUCKET, Key=f"{prefix}/out/a.pdf.txt")
    record = json.loads({name.lower(): value for name, value in result["Metadata"].items()}["ocr-bulk"])
    assert record["etag"] == source["ETag"].strip('"')
    assert (record["engine"], record["state"], record["pages"]) == ("scripted", "done", 1)


def test_object_that_cannot_be_read_fails_alone(
    over_http: Store, replica: RunningProgram, prefix: str, tmp_path: Path
) -> None:
    # A full object whose key ends with a slash is no folder.
    odd = {"a//b.pdf": PAGE, "../y.pdf": PAGE, "full/": PAGE, f"{'y' * 900}.pdf": PAGE, "zero.pdf": b""}
    fill(over_http, prefix, {**odd, "b.pdf": PAGE, "b.pdf ": pdf_of_text(["a", "b"], size=(100, 100))})
    report = tmp_path / "report.ndjson"
    assert run(over_http, replica, prefix, "--format", "text", "--report", str(report)) == 3
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    assert {line["document"]: line.get("code") for line in lines} == {
        "a//b.pdf": "url_not_allowed",
        "../y.pdf": "url_not_allowed",
        "full/": "url_not_allowed",
        f"{'y' * 900}.pdf": None,
        "zero.pdf": "empty_file",
        "b.pdf": None,
        "b.pdf ": None,
    }
    # A space at the end of a key is a part of it.
    assert results(over_http, prefix)["b.pdf .txt"] == b"page 1\n\npage 2"
    # Keys that lead out of a folder.
    folder = tmp_path / "deep" / "out"
    source = f"s3://{BUCKET}/{prefix}/in"
    assert main([source, str(folder), "--format", "text", "--server", replica.url], over_http.settings) == 3
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {file for file in files if file.endswith(".txt")} == {"deep/out/b.pdf.txt", "deep/out/b.pdf .txt"}
    assert all(file.startswith("deep/out/") for file in files - {report.name})


async def read_one(source: BucketSource, url: str, folder: Path, deleted: list[str]) -> Outcome:
    """List the only document of a source, delete some keys, and read the document."""
    (document,) = [each async for each in source.documents()]
    for key in deleted:
        await source.bucket.delete(key)
    async with Replica(url, None, "test", source.patience) as service:
        results = FolderResults(folder, source.patience)
        read = DocumentReader(source, results, service, await service.engine(), Wanted(["text"], {}))
        outcome = await read(document)
    assert outcome is not None
    return outcome


@dataclass(frozen=True)
class ReturningSource(BucketSource):
    """A bucket that was away: its object is there again when the client looks for it."""

    async def can_be_fetched_again(self, document: Document) -> bool:
        await self.bucket.put(f"{self.prefix}{document.name}", PAGE, "application/pdf", {})
        return await BucketSource.can_be_fetched_again(self, document)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("kind", "state"), [(BucketSource, State.FAILED), (ReturningSource, State.DONE)], ids=["gone", "away"]
)
async def test_object_is_fetched_again_if_it_is_still_there(
    over_http: Store,
    replica: RunningProgram,
    prefix: str,
    tmp_path: Path,
    kind: type[BucketSource],
    state: State,
) -> None:
    fill(over_http, prefix, {"a.pdf": PAGE})
    bucket = storage_of(over_http)
    source = kind(bucket, f"{prefix}/in/", Patience(60))
    outcome = await read_one(source, replica.url, tmp_path, [f"{prefix}/in/a.pdf"])
    await bucket.close()
    assert outcome.record.state is state
    assert outcome.record.code == ("fetch_failed" if state is State.FAILED else "")


def test_document_does_not_pass_through_the_client(
    over_http: Store, replica: RunningProgram, prefix: str
) -> None:
    # A comment after the end makes the file large.
    fill(over_http, prefix, {"large.pdf": PAGE + b"\n%" + b"x" * 2**20})
    with CountingProxy(over_http.endpoint) as to_bucket, CountingProxy(replica.url) as to_service:
        behind = Store(to_bucket.url)
        places = [f"s3://{BUCKET}/{prefix}/{part}/" for part in ("in", "out")]
        assert main([*places, "--server", to_service.url], behind.settings) == 0
        assert 0 < to_bucket.bytes < 100_000
        assert 0 < to_service.bytes < 100_000


def test_bucket_of_another_service_ends_the_run(
    over_http: Store, replica: RunningProgram, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    over_http.client().create_bucket(Bucket="other")
    over_http.client().put_object(Bucket="other", Key=f"{prefix}/a.pdf", Body=PAGE)
    arguments = [f"s3://other/{prefix}", f"s3://{BUCKET}/{prefix}/out", "--server", replica.url]
    assert main(arguments, over_http.settings) == 1
    assert f"s3://{BUCKET}/" in capsys.readouterr().err


@pytest.mark.anyio
async def test_listing_goes_on_after_each_page(store: Store, storage: S3Storage, prefix: str) -> None:
    keys = sorted(f"{prefix}/{number}" for number in range(7))
    for key in keys:
        await storage.put(key, b"x", "text/plain", {})
    first = await storage.page(f"{prefix}/", "")
    assert [each.key for each in first] == keys
    assert all(each.size == 1 and '"' not in each.etag for each in first)
    assert [each.key for each in await storage.page(f"{prefix}/", keys[3])] == keys[4:]
    assert await storage.page(f"{prefix}/", keys[-1]) == []


@pytest.mark.anyio
async def test_metadata_is_returned(storage: S3Storage, prefix: str) -> None:
    await storage.put(f"{prefix}/a", b"x", "text/plain", {"ocr-bulk": '{"etag": "a", "n": 1}'})
    assert (await storage.metadata(f"{prefix}/a")) == {"ocr-bulk": '{"etag": "a", "n": 1}'}
    assert await storage.metadata(f"{prefix}/b") is None
