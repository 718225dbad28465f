"""Latency of a repeated document: uncached, from memory, from the store, and as a 304, in turn in one run.

The store is OpenStack Swift on loopback and on the same cores. No result is stored during the measurement.
"""

import statistics
import tempfile
from functools import partial
from pathlib import Path

import httpx

from benchmarks import by_turns, say
from tests.running import ROOT, RunningService
from tests.s3.stores import Store, Swift

TURNS = 50

SCAN = (ROOT / "examples" / "scan.jpg").read_bytes()


def ask(client: httpx.Client, status: int, cached: bool, tag: str = "", **fields: str) -> str:
    """Send the scan; return its ETag."""
    answer = client.post(
        "/ocr",
        files={"file": ("scan.jpg", SCAN)},
        data={"store": "false"} | fields,
        headers={"If-None-Match": tag} if tag else {},
    )
    assert answer.status_code == status, answer.text
    assert status == 304 or answer.json()["cached"] is cached
    return str(answer.headers.get("etag"))


def measure(store: Store) -> dict[str, list[float]]:
    """Measure one service that caches results in memory, and one that caches them in the store only."""
    settings = {**store.settings, "OCR_CACHE_LIFETIME": "3600"}
    with (
        RunningService(**settings) as in_memory,
        RunningService(**settings, OCR_CACHE_MEMORY_MB="0") as in_store,
    ):
        tag = ask(in_memory.client, 200, cached=False, store="true")
        wait_until_stored(in_store.client)
        return by_turns(
            {
                "uncached (`cache=false`)": partial(ask, in_memory.client, 200, False, cache="false"),
                "from the store": partial(ask, in_store.client, 200, True),
                "from memory": partial(ask, in_memory.client, 200, True),
                "304": partial(ask, in_memory.client, 304, True, tag),
            },
            TURNS,
        )


def wait_until_stored(client: httpx.Client) -> None:
    """Repeat the request until the store has the result, because storing happens after the response."""
    while not client.post("/ocr", files={"file": SCAN}, data={"store": "false"}).json()["cached"]:
        pass


def main() -> None:
    """Start the store, measure, print the table."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        say("starting the store")
        swift = Swift(Path(folder))
        swift.start()
        try:
            with swift.front() as (store, _):
                print_table(measure(store))
        finally:
            swift.stop()


def print_table(taken: dict[str, list[float]]) -> None:
    """Print the medians, and the ratio of the uncached latency to each."""
    print(f"\nTesseract, a scan of one page; {TURNS} turns\n")
    print("| milliseconds | p50 | p95 | uncached / this |")
    print("|---|---|---|---|")
    uncached = statistics.median(next(iter(taken.values())))
    for name, times in taken.items():
        p50, p95 = statistics.median(times), statistics.quantiles(times, n=20)[-1]
        print(f"| {name} | {p50 * 1e3:.1f} | {p95 * 1e3:.1f} | {uncached / p50:.1f} |")


if __name__ == "__main__":
    main()
