"""kill -9 at boundaries of a job, with real processes. `make test-jobs` tries all of them."""

import os
import signal
from pathlib import Path

import psycopg
import pytest

from tests.jobs.replicas import PAGES, Replica
from tests.postgresql import RunningPostgresql

# Seconds since 1970, in a far future.
NEVER = 1e11


def stored_pages(folder: Path) -> set[str]:
    """Return the numbers of the pages that are in the storage."""
    return {path.name.removeprefix("page-") for path in folder.glob("jobs/*/page-*")}


def check_done(replica: Replica, job: str, stored: set[str]) -> None:
    """Check that the job is done once and whole. stored: pages that an ended process had stored."""
    status = replica.ended(job)
    assert (status["state"], status["pages_done"]) == ("done", PAGES)
    pages = replica.client.get(f"/jobs/{job}/result").json()["pages"]
    assert [page["text"] for page in pages] == [f"page {number}" for number in range(1, PAGES + 1)]
    assert replica.jobs() == [job]
    assert {page for page, times in replica.reads.items() if times > 1}.isdisjoint(stored), replica.reads
    assert max(replica.reads.values()) <= 2, replica.reads


@pytest.mark.parametrize("boundary", ["after the document", "after a page"])
def test_only_process_is_killed_and_starts_again(tmp_path: Path, boundary: str) -> None:
    with Replica(tmp_path, kill_at=boundary) as killed:
        job = killed.submit("key")
        killed.process.wait(timeout=120)
    assert killed.process.returncode == -signal.SIGKILL
    stored = stored_pages(tmp_path)
    assert bool(stored) == (boundary == "after a page")
    with Replica(tmp_path) as restarted:
        again = restarted.submit("key")
        assert again and job in (None, again)
        check_done(restarted, again, stored)


def test_other_replica_takes_a_job_over(tmp_path: Path, postgresql: RunningPostgresql) -> None:
    url = postgresql.new_database()
    with Replica(tmp_path, url, kill_at="after a page") as killed:
        job = killed.submit("key")
        killed.process.wait(timeout=120)
    assert job
    stored = stored_pages(tmp_path)
    assert stored
    end_leases(url, NEVER)
    with Replica(tmp_path, url) as other:
        assert other.client.get(f"/jobs/{job}").json()["state"] == "running"
        end_leases(url)
        check_done(other, job, stored)
        assert other.client.get(f"/jobs/{job}").json()["attempts"] == 2


def test_stopped_replica_that_wakes_up_writes_nothing(tmp_path: Path, postgresql: RunningPostgresql) -> None:
    url = postgresql.new_database()
    with Replica(tmp_path, url, kill_at="stop") as stopped, Replica(tmp_path, url) as other:
        job = stopped.submit("key")
        assert job
        stopped.wait_for("stops itself", timeout=120)
        end_leases(url)
        check_done(other, job, stored=set())
        ended = other.client.get(f"/jobs/{job}").json()
        os.kill(stopped.process.pid, signal.SIGCONT)
        assert stopped.client.get(f"/jobs/{job}").json() == ended


def test_stopping_replica_gives_its_jobs_back_and_answers_about_them(
    tmp_path: Path, postgresql: RunningPostgresql
) -> None:
    url = postgresql.new_database()
    with Replica(tmp_path, url, kill_at="hang") as stopping:
        job = stopping.submit("key")
        assert job
        stopping.wait_for("the page hangs", timeout=120)
        stopping.process.terminate()
        stopping.process.wait(timeout=120)
    with Replica(tmp_path, url) as other:
        status = other.ended(job)
    assert (status["state"], status["attempts"]) == ("done", 1)


def end_leases(url: str, at: float = 0) -> None:
    """Set the end of the leases, which is 20 seconds after their renewal otherwise."""
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE jobs SET lease = %s WHERE lease IS NOT NULL", [at])
