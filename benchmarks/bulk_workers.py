"""Pages a second of several `ocr-bulk` at once on one service, beside tesserocr alone and `/ocr`.

Each figure has a service of its own: requests keep jobs back for some seconds after their end. The CPU time
is that of all processes; other programs on the machine hardly change it.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import say, seconds
from benchmarks.bench_tesseract import DPI, WORKERS, BareTesserocr, scanned_pages
from benchmarks.processes import cpu_seconds_of_tree
from ocr_service.bulk.cli import main
from tests.running import ROOT, RunningService
from tests.samples import pdf_of_images

# Documents at a time; the workers of a row share them.
IN_FLIGHT = 12
COMMANDS = (1, 2, 3)


@dataclass(frozen=True)
class Cost:
    """seconds: from the start to the end. cpu: CPU seconds of this process and of its descendants."""

    seconds: float
    cpu: float

    @classmethod
    def of(cls, call: Callable[[], object]) -> "Cost":
        """Measure one call."""
        before = cpu_seconds_of_tree(os.getpid())
        spent = seconds(call)
        return cls(spent, cpu_seconds_of_tree(os.getpid()) - before)

    def __sub__(self, other: "Cost") -> "Cost":
        return Cost(self.seconds - other.seconds, self.cpu - other.cpu)


def print_table(pages: int, pages_each: int) -> None:
    """Print a row for the engine, one for `/ocr` and one for each number of workers.

    pages: number of all pages that are read for a row. pages_each: of a document.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "in")
        write_documents(source, pages // pages_each, pages_each)
        alone = by_engine(source)
        heads = ("pages/s", "this / tesserocr", "CPU ms a page", "tesserocr / this")
        print(f"\n| documents of {pages_each} pages | {' | '.join(heads)} |")
        print("|---|---|---|---|---|")
        print_row(f"tesserocr, {WORKERS} threads", pages, alone, alone)
        print_row(f"`/ocr`, {IN_FLIGHT} in flight", pages, by_requests(source), alone)
        for workers in COMMANDS:
            cost = by_workers(source, Path(folder, f"out {workers}"), workers)
            print_row(f"`ocr-bulk`, workers: {workers}", pages, cost, alone)


def print_row(name: str, pages: int, cost: Cost, alone: Cost) -> None:
    """Print the rate and the CPU time, each beside that of the engine."""
    rates = f"{pages / cost.seconds:.2f} | {alone.seconds / cost.seconds:.2f}"
    print(f"| {name} | {rates} | {1000 * cost.cpu / pages:.0f} | {alone.cpu / cost.cpu:.2f} |", flush=True)


def write_documents(folder: Path, count: int, pages_each: int) -> None:
    """Write scans of full pages as PDF files."""
    say("drawing the pages")
    folder.mkdir()
    drawn = scanned_pages()
    parts = [drawn[start : start + pages_each] for start in range(0, len(drawn), pages_each)]
    files = [pdf_of_images(part, DPI) for part in parts]
    for number in range(count):
        # A comment after the end makes it another document: equal ones would be read once.
        Path(folder, f"{number}.pdf").write_bytes(files[number % len(files)] + b"\n%%%d" % number)


def by_engine(source: Path) -> Cost:
    """Read the documents by Tesseract alone, one thread for each core."""
    say("tesserocr")
    bare = BareTesserocr()
    with ThreadPoolExecutor(WORKERS) as threads:
        return Cost.of(lambda: list(threads.map(lambda path: bare.read(path.read_bytes()), source.iterdir())))


def by_requests(source: Path) -> Cost:
    """Read the documents by `/ocr`."""
    say("/ocr")
    paths = list(source.iterdir())
    with service(paths[0]) as running, ThreadPoolExecutor(IN_FLIGHT) as threads:

        def read(path: Path) -> None:
            fields = {"store": "false"}
            answer = running.client.post("/ocr", files={"file": path.read_bytes()}, data=fields)
            assert not any(page["error"] for page in answer.raise_for_status().json()["pages"])

        return Cost.of(lambda: list(threads.map(read, paths)))


def by_workers(source: Path, results: Path, workers: int) -> Cost:
    """Read the documents by so many commands at once; their start does not count."""
    say(f"{workers} workers")
    with service(next(source.iterdir())) as running, tempfile.TemporaryDirectory() as empty:
        start = Cost.of(lambda: run(Path(empty), results, workers, running.url))
        return Cost.of(lambda: run(source, results, workers, running.url)) - start


def run(source: Path, results: Path, workers: int, url: str) -> None:
    """Run the commands, each for a part of the documents; fails unless all are read."""
    command = [sys.executable, "-m", "ocr_service.bulk", str(source), str(results)]
    options = ["--server", url, "--in-flight", str(IN_FLIGHT // workers)]
    commands = [
        subprocess.Popen([*command, *options, "--shard", f"{index}/{workers}"], cwd=ROOT)
        for index in range(workers)
    ]
    assert [each.wait() for each in commands] == [0] * workers


@contextmanager
def service(document: Path) -> Iterator[RunningService]:
    """Run a service with Tesseract that has read a document as a job."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {"OCR_OUTPUT_DIR": folder, "OCR_JOBS_AT_ONCE": str(IN_FLIGHT)}
        with RunningService(**settings) as running:
            source = Path(folder, "warm-up")
            source.mkdir()
            (source / document.name).write_bytes(document.read_bytes())
            assert main([str(source), f"{folder}/warm", "--server", running.url], {}) == 0
            yield running
