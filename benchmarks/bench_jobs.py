"""The cost of jobs: a page as a job and by `/ocr`, submits a second, and looks at 1000 open jobs.

The engine answers at once, so that the rest is measured. Both databases are on this machine, in one run.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks.processes import cpu_seconds
from tests.jobs.replicas import Replica
from tests.postgresql import RunningPostgresql
from tests.samples import pdf_of_text

PAGE = pdf_of_text(["one page"], size=(100, 100))
PAGES = pdf_of_text(["first page", "second page"], size=(100, 100))
AT_ONCE = 16


def main() -> None:
    """Print a table with a row for each database."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=200, help="jobs for the cost of one")
    parser.add_argument("--open", type=int, default=1000, help="open jobs while statuses are read")
    chosen = parser.parse_args()
    print("| | `/ocr` CPU, p50 (ms) | job CPU, p50 (ms) | submits a second | statuses a second |")
    print("|---|---|---|---|---|")
    with RunningPostgresql() as server:
        for name, url in (("SQLite", None), ("PostgreSQL", server.new_database())):
            with service(url) as replica:
                direct = cost(replica, chosen.jobs, read)
                job = cost(replica, chosen.jobs, read_as_a_job)
            with service(server.new_database() if url else None, kill_at="hang") as replica:
                submits, statuses = crowd(replica, chosen.open)
            print(f"| {name} | {direct} | {job} | {submits:.0f} | {statuses:.0f} |", flush=True)


@contextmanager
def service(url: str | None, kill_at: str | None = None) -> Iterator[Replica]:
    """Run a service that keeps its jobs in a database; None for SQLite."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-jobs-") as folder,
        Replica(Path(folder), url, kill_at) as replica,
    ):
        yield replica


def read(client: httpx.Client) -> None:
    """Read a page by `/ocr`."""
    client.post("/ocr", files={"file": PAGE}, data={"store": "false"}).raise_for_status()


def read_as_a_job(client: httpx.Client) -> None:
    """Read a page as a job, from the submit to the result."""
    job = client.post("/jobs", files={"file": PAGE}, data={"store": "false"}).raise_for_status().json()["id"]
    with client.stream("GET", f"/jobs/{job}/events") as events:
        for line in events.iter_lines():
            if line == "event: end":
                break
    client.get(f"/jobs/{job}/result").raise_for_status()


def cost(replica: Replica, count: int, work: Callable[[httpx.Client], None]) -> str:
    """Return the CPU time of the process for one call, and the median of its time, in milliseconds."""
    work(replica.client)
    seconds, cpu = [], cpu_seconds(replica.process.pid)
    for _ in range(count):
        began = time.perf_counter()
        work(replica.client)
        seconds.append(time.perf_counter() - began)
    used = (cpu_seconds(replica.process.pid) - cpu) / count
    return f"{used * 1000:.1f}, {statistics.median(seconds) * 1000:.0f}"


def crowd(replica: Replica, count: int) -> tuple[float, float]:
    """Return submits a second for so many jobs that stay open, and statuses a second of them."""
    client = replica.client

    def submit(_: int) -> str:
        answer = client.post("/jobs", files={"file": PAGES}, data={"store": "false"})
        return str(answer.raise_for_status().json()["id"])

    with ThreadPoolExecutor(AT_ONCE) as threads:
        began = time.perf_counter()
        ids = list(threads.map(submit, range(count)))
        submits = count / (time.perf_counter() - began)
        began = time.perf_counter()
        for answer in threads.map(lambda job: client.get(f"/jobs/{job}"), ids):
            answer.raise_for_status()
        return submits, count / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
