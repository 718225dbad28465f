"""`ocr-bulk` on a bucket whose documents are all done, and its pages a second beside `/ocr`.

The bucket is served by rclone on this machine; its documents are listed, skipped and reported, with the real
service and an engine that does nothing. Pages are read with Tesseract (`bulk_workers.py`).
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import bulk_workers
from ocr_service.bulk.patience import Patience
from ocr_service.bulk.places import results_at, source_at
from ocr_service.bulk.results import Results
from ocr_service.bulk.run import in_flight
from ocr_service.bulk.values import Document, Record, State, Wanted
from tests.running import ROOT, RunningProgram
from tests.s3.stores import BIN, BUCKET, rclone

SERVICE = [sys.executable, "-m", "uvicorn", "tests.fakes.scripted_service:app", "--port", "0"]
PREPARE = ROOT / "tests/s3/prepare.py"
WANTED = Wanted(["text"], {})
IN_FLIGHT = 16
# Objects below one prefix of the next level.
FOLDER = 1000


def main() -> None:
    """Print two tables: objects a second that are skipped, with the peak memory, and pages a second."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--objects", type=int, default=100_000)
    parser.add_argument("--pages", type=int, default=96, help="pages that are read for each row")
    parser.add_argument("--pages-each", type=int, default=12, help="pages of a document: 1 to 12")
    options = parser.parse_args()
    count = options.objects
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        subprocess.run([BIN / "python", str(PREPARE), folder], check=True)
        with (
            rclone(place / "store", place / "cert.pem", place / "key.pem") as store,
            RunningProgram(SERVICE) as service,
        ):
            os.environ |= store.settings
            write_documents(place / "store" / BUCKET / "in", count)
            asyncio.run(store_results())
            seconds, peak = skip(service.url, count, place / "report.ndjson")
    print("| objects | seconds | objects a second | peak memory (MiB) |\n|---|---|---|---|")
    print(f"| {count} | {seconds:.1f} | {count / seconds:.0f} | {peak:.0f} |")
    bulk_workers.print_table(options.pages, options.pages_each)


def write_documents(folder: Path, count: int) -> None:
    """Write small objects, past the server."""
    for number in range(count):
        path = folder / f"{number // FOLDER:05}" / f"{number:09}.pdf"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d" % number)


async def store_results() -> None:
    """Store a result for each document, as a run does."""
    patience = Patience(60)
    source = source_at(f"s3://{BUCKET}/in/", os.environ, patience)
    results: Results = results_at(f"s3://{BUCKET}/out/", os.environ, patience)

    async def store(document: Document) -> None:
        record = Record(State.DONE, document.etag, WANTED.digest, "scripted", "1.2.3", pages=1)
        await results.store(document.name, {"text": b"text"}, record)

    async for _ in in_flight(source.documents(), store, IN_FLIGHT):
        pass


def skip(url: str, count: int, report: Path) -> tuple[float, float]:
    """Run the command; return its seconds and its peak memory in MiB.

    Fails unless it has skipped all documents.
    """
    places = [f"s3://{BUCKET}/{part}/" for part in ("in", "out")]
    options = ["--server", url, "--format", "text", "--report", str(report)]
    began = time.perf_counter()
    command = [sys.executable, "-m", "ocr_service.bulk", *places, *options]
    running = subprocess.Popen(command, cwd=ROOT)
    _, status, used = os.wait4(running.pid, 0)
    seconds = time.perf_counter() - began
    assert os.waitstatus_to_exitcode(status) == 0
    with report.open() as lines:
        assert sum(json.loads(line)["skipped"] for line in lines) == count
    return seconds, used.ru_maxrss / 1024


if __name__ == "__main__":
    main()
