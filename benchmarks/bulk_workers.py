"""Pages a second of several `ocr-bulk` at once on one service, beside the same documents by `/ocr`.

Each figure has a service of its own, because requests keep jobs back for some seconds after their end.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from benchmarks import say, seconds
from ocr_service.bulk.cli import main
from tests.running import ROOT, RunningService
from tests.samples import ENGLISH, encoded, printed_page

# Shared by the workers of a row.
IN_FLIGHT = 12
WORKERS = (1, 2, 3)


def print_table(documents: int) -> None:
    """Print a row for `/ocr` and one for each number of workers. documents: of one page."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "in")
        write_documents(source, documents)
        alone = documents / by_requests(source)
        print("\n| | pages/s | this / `/ocr` |\n|---|---|---|")
        print(f"| `/ocr`, {IN_FLIGHT} in flight | {alone:.2f} | |", flush=True)
        for workers in WORKERS:
            rate = documents / by_workers(source, Path(folder, f"out {workers}"), workers)
            print(f"| `ocr-bulk`, workers: {workers} | {rate:.2f} | {rate / alone:.2f} |", flush=True)


def write_documents(folder: Path, count: int) -> None:
    """Write pages of some paragraphs, each with another heading."""
    folder.mkdir()
    for number in range(count):
        page = printed_page(ENGLISH[:4], title=f"{number}. Title").image
        Path(folder, f"{number}.png").write_bytes(encoded(page, "PNG"))


def by_requests(source: Path) -> float:
    """Read the documents by `/ocr`; return the seconds."""
    paths = list(source.iterdir())
    with service(paths[0]) as running, ThreadPoolExecutor(IN_FLIGHT) as threads:

        def read(path: Path) -> None:
            fields = {"store": "false"}
            answer = running.client.post("/ocr", files={"file": path.read_bytes()}, data=fields)
            assert answer.raise_for_status().json()["pages"][0]["error"] is None

        return seconds(lambda: list(threads.map(read, paths)))


def by_workers(source: Path, results: Path, workers: int) -> float:
    """Read the documents by so many commands at once, from the start of the first to the end of the last."""
    say(f"{workers} workers")
    with service(next(source.iterdir())) as running:
        command = [sys.executable, "-m", "ocr_service.bulk", str(source), str(results)]
        options = ["--server", running.url, "--in-flight", str(IN_FLIGHT // workers)]
        began = time.perf_counter()
        commands = [
            subprocess.Popen([*command, *options, "--shard", f"{index}/{workers}"], cwd=ROOT)
            for index in range(workers)
        ]
        assert [each.wait() for each in commands] == [0] * workers
        return time.perf_counter() - began


@contextmanager
def service(page: Path) -> Iterator[RunningService]:
    """Run a service with Tesseract that has read a page as a job."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {"OCR_OUTPUT_DIR": folder, "OCR_JOBS_AT_ONCE": str(IN_FLIGHT)}
        with RunningService(**settings) as running:
            source = Path(folder, "warm-up")
            source.mkdir()
            (source / page.name).write_bytes(page.read_bytes())
            assert main([str(source), f"{folder}/warm", "--server", running.url], {}) == 0
            yield running
