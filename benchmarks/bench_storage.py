"""Latency that storing adds: the same document with and without storing, in turn in one run.

The stores are OpenStack Swift, which is a Python program, and rclone, both on loopback and on the same cores.
Their own latency for one small object is shown too.
"""

import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from benchmarks import by_turns, say
from tests.running import ROOT, RunningProgram, RunningService
from tests.s3.stores import BUCKET, Store, Swift, rclone

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

TURNS = 100

SCAN = (ROOT / "examples" / "scan.jpg").read_bytes()
MODES = ("store=false", "stored", "stored with its source")


def ask(client: httpx.Client, mode: str) -> None:
    """Send the scan, and store the result if the mode says so."""
    fields = {"store": str(mode != MODES[0]).lower(), "store_source": str(mode == MODES[2]).lower()}
    answer = client.post("/ocr", files={"file": ("scan.jpg", SCAN)}, data=fields).raise_for_status().json()
    assert answer["storage"]["status"] == ("disabled" if mode == MODES[0] else "stored")


def measure(store: Store, running: RunningProgram) -> dict[str, list[float]]:
    """Measure every mode of the service, and the store alone."""
    s3 = store.client()
    number = iter(range(10_000))
    with httpx.Client(base_url=running.url, timeout=60) as client:
        return by_turns(
            {
                **{mode: partial(ask, client, mode) for mode in MODES},
                "the store alone, one small object": lambda: put(s3, f"bench/{next(number)}"),
            },
            TURNS,
            warm_up=5,
        )


def put(s3: "S3Client", key: str) -> None:
    """Store one small object without the service."""
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"x" * 3000)


def print_table(title: str, taken: dict[str, list[float]]) -> None:
    """Print the medians, and the time that each mode adds to the first."""
    print(f"\n{title}; {TURNS} turns\n")
    print("| milliseconds | p50 | p95 | added p50 |")
    print("|---|---|---|---|")
    base = statistics.median(taken[MODES[0]])
    for name, times in taken.items():
        p50, p95 = statistics.median(times), statistics.quantiles(times, n=20)[-1]
        added = f"{(p50 - base) * 1e3:.1f}" if name in MODES[1:] else ""
        print(f"| {name} | {p50 * 1e3:.1f} | {p95 * 1e3:.1f} | {added} |")


@contextmanager
def stores(folder: Path) -> Iterator[dict[str, Store]]:
    """Run both object stores on tmpfs, so that disk speed does not count."""
    say("starting the stores")
    swift = Swift(folder / "swift")
    swift.start()
    try:
        with swift.front() as (over_http, _), swift.front(tls=True) as (over_https, _):
            certificate = over_https.certificate
            assert certificate is not None
            with rclone(folder / "rclone", certificate, certificate.with_name("key.pem")) as over_tls:
                yield {"Swift": over_http, "rclone, over TLS": over_tls}
    finally:
        swift.stop()


def main() -> None:
    """Run each engine with each store, and print a table for each pair."""
    command = [sys.executable, "-m", "uvicorn", "tests.fakes.scripted_service:app", "--port", "0"]
    engines: dict[str, Callable[..., RunningProgram]] = {
        "an engine that takes no time": partial(RunningProgram, command),
        "Tesseract": RunningService,
    }
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder, stores(Path(folder)) as found:
        for engine, start in engines.items():
            for name, store in found.items():
                say(f"{engine}; {name}")
                with start(**store.settings, OCR_CACHE_LIFETIME="0") as running:
                    print_table(f"{engine}; {name}", measure(store, running))


if __name__ == "__main__":
    main()
