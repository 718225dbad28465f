"""Ends a process at each boundary of a job, with each database, and prints a table.

Usage: python -m tests.jobs.matrix. With PostgreSQL another replica goes on when the lease of 20 s has ended;
with SQLite the same folder is opened by a new process.
"""

import os
import signal
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from tests.jobs.boundaries import BOUNDARIES
from tests.jobs.replicas import PAGES, Replica
from tests.postgresql import RunningPostgresql

# A lease of 20 s, and the time of a slow machine.
_PATIENCE = 120.0


def main() -> int:
    """Print a row for each trial; return 1 if one of them failed."""
    print("| end of the process | database | done after (s) | pages read again | job |")
    print("|---|---|---|---|---|")
    with RunningPostgresql() as server:
        good = [restarted(boundary) for boundary in BOUNDARIES]
        good += [taken_over(server, boundary) for boundary in BOUNDARIES]
        good += [stopped(server), terminated(server), without_database(server), started_at_once(server)]
    return 0 if all(good) else 1


def restarted(boundary: str) -> bool:
    """Kill the only process, start it again, and submit again if there was no answer."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Replica(folder, kill_at=boundary) as killed:
            killed.submit("key")
            killed.process.wait(timeout=120)
        began = time.monotonic()
        with Replica(folder) as again:
            return row(f"kill -9 {boundary}", "SQLite", again, again.submit("key"), began)


def taken_over(server: RunningPostgresql, boundary: str) -> bool:
    """Kill one of two replicas, and submit to the other again if there was no answer."""
    url = server.new_database()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Replica(folder, url, kill_at=boundary) as killed:
            killed.submit("key")
            killed.process.wait(timeout=120)
        began = time.monotonic()
        with Replica(folder, url) as other:
            return row(f"kill -9 {boundary}", "PostgreSQL", other, other.submit("key"), began)


def stopped(server: RunningPostgresql) -> bool:
    """Stop a replica past its lease, and wake it when the other one has ended its job."""
    url = server.new_database()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Replica(folder, url, kill_at="stop") as first, Replica(folder, url) as other:
            job = first.submit("key")
            first.wait_for("stops itself", timeout=120)
            began = time.monotonic()
            good = row("SIGSTOP past the lease", "PostgreSQL", other, job, began)
            ended = other.client.get(f"/jobs/{job}").json()
            os.kill(first.process.pid, signal.SIGCONT)
            return good and first.client.get(f"/jobs/{job}").json() == ended


def terminated(server: RunningPostgresql) -> bool:
    """End a replica with SIGTERM while it reads a job."""
    url = server.new_database()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Replica(folder, url, kill_at="hang") as first, Replica(folder, url) as other:
            job = first.submit("key")
            first.wait_for("the page hangs", timeout=120)
            began = time.monotonic()
            first.process.terminate()
            return row("SIGTERM", "PostgreSQL", other, job, began)


def without_database(server: RunningPostgresql) -> bool:
    """Kill the database while a job is read, and start it again."""
    url = server.new_database()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Replica(folder, url) as replica:
            job = replica.submit("key")
            server.kill()
            server.start()
            began = time.monotonic()
            replica.wait_until_answered(f"/jobs/{job}")
            return row("the database is killed and starts again", "PostgreSQL", replica, job, began)


def started_at_once(server: RunningPostgresql) -> bool:
    """Start two replicas at once on an empty database."""
    url = server.new_database()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack, ThreadPoolExecutor() as threads:
        began = time.monotonic()
        starting = [threads.submit(Replica(Path(name), url).__enter__) for _ in range(2)]
        first, other = (replica.result() for replica in starting)
        for replica in (first, other):
            stack.push(replica)
        return row("two replicas start at once", "PostgreSQL", other, first.submit("key"), began)


def row(what: str, database: str, replica: Replica, job: str | None, began: float) -> bool:
    """Wait for the end of the job, and print its row."""
    assert job is not None
    status = replica.ended(job, _PATIENCE)
    seconds, again = time.monotonic() - began, sum(replica.reads.values()) - PAGES
    good = status["state"] == "done" and status["pages_done"] == PAGES and replica.jobs() == [job]
    print(f"| {what} | {database} | {seconds:.1f} | {again} | {'whole' if good else 'LOST'} |", flush=True)
    return good


if __name__ == "__main__":
    sys.exit(main())
