"""`ocr-bulk` on folders: documents that are read, skipped and left out, and runs that are interrupted."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from ocr_service.bulk.cli import main
from tests.bulk.running import PAGES, Bulk
from tests.jobs.replicas import PATIENCE, Replica
from tests.running import ROOT, free_port
from tests.samples import pdf_of_text

BROKEN = "битый.pdf"


@pytest.fixture
def bulk(replica: Replica, tmp_path: Path) -> Bulk:
    return Bulk(tmp_path, replica.url)


def pages_read(replica: Replica) -> int:
    return replica.reads.total()


def test_all_documents_are_read_and_a_failed_one_says_why(bulk: Bulk) -> None:
    names = bulk.fill(4)
    bulk.write(BROKEN, b"%PDF-1.4 broken")
    code, report = bulk.reported("--format", "json,markdown,text")
    assert code == 3
    expected = {f"{name}.{suffix}" for name in names for suffix in ("json", "md", "txt")}
    assert bulk.files == expected | {f"{BROKEN}.failed.json"}
    assert json.loads((bulk.results / f"{names[0]}.json").read_text())["pages"][1]["text"] == "page 2"
    reason = json.loads((bulk.results / f"{BROKEN}.failed.json").read_text())
    assert (reason["state"], reason["code"]) == ("failed", "broken_document")
    assert {name: line["state"] for name, line in report.items()} == {
        **dict.fromkeys(names, "done"),
        BROKEN: "failed",
    }
    assert report[BROKEN]["detail"] == reason["detail"]
    assert all(report[name]["pages"] == PAGES for name in names)


def test_service_keeps_no_job(bulk: Bulk, replica: Replica) -> None:
    bulk.fill(2)
    bulk.write(BROKEN, b"%PDF-1.4 broken")
    bulk.run()
    assert replica.jobs() == []


def test_done_and_failed_documents_are_skipped(bulk: Bulk, replica: Replica) -> None:
    names = bulk.fill(3)
    bulk.write(BROKEN, b"%PDF-1.4 broken")
    assert bulk.run() == 3
    before = pages_read(replica)
    code, report = bulk.reported()
    assert (code, pages_read(replica)) == (3, before)
    assert all(report[name]["skipped"] for name in [*names, BROKEN])


def test_changed_document_is_read_again(bulk: Bulk, replica: Replica) -> None:
    names = bulk.fill(2)
    assert bulk.run() == 0
    bulk.write(names[0], pdf_of_text(["one page now"], size=(100, 100)))
    before = pages_read(replica)
    code, report = bulk.reported()
    assert (code, pages_read(replica) - before) == (0, 1)
    assert (report[names[0]]["skipped"], report[names[1]]["skipped"]) == (False, True)


def test_result_of_a_document_that_is_broken_now_is_gone(bulk: Bulk) -> None:
    bulk.write(BROKEN, pdf_of_text(["text"], size=(100, 100)))
    assert bulk.run() == 0
    bulk.write(BROKEN, b"%PDF-1.4 broken")
    assert bulk.run() == 3
    assert bulk.files == {f"{BROKEN}.failed.json"}


def test_other_options_read_again(bulk: Bulk, replica: Replica) -> None:
    bulk.fill(2)
    before = pages_read(replica)
    for options in ([], ["--pages", "1"], ["--format", "json"]):
        assert bulk.run(*options) == 0
    assert pages_read(replica) - before == 2 * (PAGES + 1 + PAGES)


def test_repaired_document_is_read_when_failed_ones_are_retried(bulk: Bulk) -> None:
    bulk.write(BROKEN, b"%PDF-1.4 broken")
    assert bulk.run() == 3
    code, report = bulk.reported("--retry-failed")
    assert (code, report[BROKEN]["attempts"]) == (3, 2)
    bulk.write(BROKEN, pdf_of_text(["text"], size=(100, 100)))
    assert bulk.run("--retry-failed") == 0
    assert bulk.files == {f"{BROKEN}.json", f"{BROKEN}.md"}


def test_result_that_was_deleted_is_made_again(bulk: Bulk) -> None:
    (name,) = bulk.fill(1)
    assert bulk.run() == 0
    (bulk.results / f"{name}.md").unlink()
    assert bulk.run() == 0
    assert bulk.files == {f"{name}.json", f"{name}.md"}


def test_limit_counts_what_is_read(bulk: Bulk) -> None:
    bulk.fill(5)
    for done in (2, 4, 5):
        assert bulk.run("--limit", "2", "--format", "json") == 0
        assert len(bulk.files) == done


def test_shards_have_each_document_once(bulk: Bulk) -> None:
    names = bulk.fill(20)
    parts = [bulk.reported("--shard", f"{index}/3")[1].keys() for index in range(3)]
    assert sorted(name for part in parts for name in part) == sorted(names)
    assert all(parts)


def test_dry_run_stores_nothing(bulk: Bulk, replica: Replica, capsys: pytest.CaptureFixture[str]) -> None:
    bulk.fill(4)
    bulk.write(BROKEN, b"%PDF-1.4 broken")
    assert bulk.run("--dry-run", "--sample", "5") == 0
    printed = capsys.readouterr().out
    assert "5 documents to read" in printed
    assert f"Estimate for all: {4 * PAGES} pages" in printed
    assert not bulk.results.exists()
    assert replica.jobs() == []


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def filled(bulk: Bulk) -> tuple[list[str], list[str]]:
    """Write documents; return the names of those with one page, and of those with a page that can be held.

    The service reads more documents and pages at a time than are held.
    """
    single = [f"single {number}.pdf" for number in range(3)]
    for name in single:
        bulk.write(name, pdf_of_text([name], size=(100, 100)))
    return single, bulk.fill(2)


def test_run_outlives_a_restart_of_the_service(tmp_path: Path) -> None:
    port = free_port()
    bulk = Bulk(tmp_path, f"http://127.0.0.1:{port}")
    single, held = filled(bulk)
    with ThreadPoolExecutor(1) as threads:
        with Replica(tmp_path / "service", port=port) as stopping, stopping.held():
            running = threads.submit(bulk.run, "--format", "json")
            wait_until(lambda: bulk.files == {f"{name}.json" for name in single})
            stopping.process.terminate()
            stopping.process.wait(timeout=120)
        assert not running.done()
        with Replica(tmp_path / "service", port=port):
            assert running.result() == 0
    assert bulk.files == {f"{name}.json" for name in [*single, *held]}


def test_run_that_is_killed_goes_on(bulk: Bulk, replica: Replica) -> None:
    single, held = filled(bulk)
    before = pages_read(replica)
    command = [
        sys.executable,
        "-m",
        "ocr_service.bulk",
        *bulk.arguments("--format", "json", "--batch", "archive"),
    ]
    with replica.held():
        running = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
        wait_until(lambda: bulk.files == {f"{name}.json" for name in single})
        wait_until(lambda: len(replica.jobs()) >= len(held))
        running.kill()
        running.wait()
        left = replica.client.get("/jobs").json()["jobs"]
    assert {job["batch"] for job in left} == {"archive"}
    assert bulk.run("--format", "json") == 0
    assert bulk.files == {f"{name}.json" for name in [*single, *held]}
    # A job that the killed run began is taken over with its pages.
    assert pages_read(replica) - before == len(single) + len(held) * PAGES
    # If it was killed between a result and the deletion of its job, the job stays until it expires.
    for job in replica.jobs():
        replica.client.delete(f"/jobs/{job}").raise_for_status()


def test_two_runs_at_once_share_the_work(bulk: Bulk, replica: Replica) -> None:
    names = bulk.fill(30)
    before, in_flight = pages_read(replica), 4
    options = ("--format", "json", "--in-flight", str(in_flight))
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(lambda _: bulk.run(*options), range(2))) == [0, 0]
    assert bulk.files == {f"{name}.json" for name in names}
    wasted = pages_read(replica) - before - len(names) * PAGES
    assert wasted <= 2 * in_flight * PAGES


def test_service_that_is_away_ends_the_run(bulk: Bulk, capsys: pytest.CaptureFixture[str]) -> None:
    bulk.fill(1)
    away = Bulk(bulk.folder, f"http://127.0.0.1:{free_port()}")
    assert away.run("--patience", "0.5") == 1
    printed = capsys.readouterr().err
    assert "waiting: The service cannot be reached" in printed
    assert not bulk.results.exists()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--lang", "tlh"], "language_not_installed"),
        (["--option", "no_such=1"], "invalid_request"),
        (["--option", "timeout=5"], "invalid_request"),
    ],
)
def test_option_that_suits_no_document_ends_the_run(
    bulk: Bulk, capsys: pytest.CaptureFixture[str], options: list[str], reason: str
) -> None:
    bulk.fill(3)
    assert bulk.run(*options) == 1
    assert reason in capsys.readouterr().err
    assert not bulk.results.exists()


@pytest.mark.parametrize("places", [("in", "in/out"), ("in", "in"), ("in/папка", "in"), ("in", "in/../in/x")])
def test_places_below_each_other_are_refused(
    bulk: Bulk, capsys: pytest.CaptureFixture[str], places: tuple[str, str]
) -> None:
    bulk.fill(2)
    source, results = (str(bulk.folder / place) for place in places)
    assert main([source, results, "--server", bulk.url], {}) == 1
    assert "cannot be below each other" in capsys.readouterr().err


def test_file_in_place_of_the_results_ends_the_run(bulk: Bulk, capsys: pytest.CaptureFixture[str]) -> None:
    bulk.fill(1)
    bulk.results.write_bytes(b"")
    assert bulk.run() == 1
    assert "is no folder" in capsys.readouterr().err


def test_name_that_no_result_can_have_fails_alone(bulk: Bulk, replica: Replica) -> None:
    names = bulk.fill(2)
    bulk.write("a", (bulk.source / names[0]).read_bytes())
    # One of the two is the first: then the result of the other has no place.
    bulk.write("a.json/b", (bulk.source / names[0]).read_bytes())
    long = f"{'x' * 250}.pdf"
    bulk.write(long, b"")
    code, report = bulk.reported("--format", "json")
    assert code == 3
    failed = [name for name, line in report.items() if line["state"] == "failed"]
    assert len(failed) == 2 and long in failed
    assert {report[name]["code"] for name in failed} == {"name_not_usable"}
    assert replica.jobs() == []


def test_format_that_cannot_be_made_is_a_failure(bulk: Bulk, replica: Replica) -> None:
    (name,) = bulk.fill(1)
    code, report = bulk.reported("--format", "markdown,pdfa")
    assert (code, report[name]["code"]) == (3, "not_archivable")
    assert bulk.files == {f"{name}.failed.json"}
    assert replica.jobs() == []


def test_other_server_ends_the_run(bulk: Bulk, capsys: pytest.CaptureFixture[str]) -> None:
    bulk.fill(1)
    with ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as other:
        serving = Thread(target=other.serve_forever)
        serving.start()
        try:
            for url in (f"http://127.0.0.1:{other.server_port}", f"{bulk.url}/elsewhere"):
                assert Bulk(bulk.folder, url).run() == 1
        finally:
            other.shutdown()
            serving.join()
    printed = capsys.readouterr().err
    assert "unlike this service" in printed and "does not have this path" in printed
    assert not bulk.results.exists()


def test_report_that_cannot_be_written_ends_the_run(bulk: Bulk, capsys: pytest.CaptureFixture[str]) -> None:
    bulk.fill(1)
    assert bulk.run("--report", str(bulk.folder / "missing" / "report")) == 1
    assert "--report" in capsys.readouterr().err
    assert not bulk.results.exists()


def test_missing_folder_ends_the_run(bulk: Bulk, capsys: pytest.CaptureFixture[str]) -> None:
    assert bulk.run() == 1
    assert "There is no folder" in capsys.readouterr().err
