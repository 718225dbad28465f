"""What a repeated document costs: read anew, from memory, from the store, and as a 304, by turns, in one run.

The store is OpenStack Swift on loopback and on the same cores. What is measured stores nothing.
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
    """Send the scan; return the answer's tag."""
    answer = client.post(
        "/ocr",
        files={"file": ("scan.jpg", SCAN)},
        data={"store": "false"} | fields,
        headers={"If-None-Match": tag} if tag else {},
    )
    assert answer.status_code == status, answer.text
    assert status == 304 or answer.json()["cached"] is cached
    return str(answer.headers.get("etag"))


def measured(store: Store) -> dict[str, list[float]]:
    """Measure with one service that keeps results in memory, and one that has the store alone."""
    settings = {**store.settings, "OCR_CACHE_LIFETIME": "3600"}
    with (
        RunningService(**settings) as in_memory,
        RunningService(**settings, OCR_CACHE_MEMORY_MB="0") as in_store,
    ):
        tag = ask(in_memory.client, 200, cached=False, store="true")
        wait_until_stored(in_store.client)
        return by_turns(
            {
                "read anew (`cache=false`)": partial(ask, in_memory.client, 200, False, cache="false"),
                "from the store": partial(ask, in_store.client, 200, True),
                "from memory": partial(ask, in_memory.client, 200, True),
                "304": partial(ask, in_memory.client, 304, True, tag),
            },
            TURNS,
        )


def wait_until_stored(client: httpx.Client) -> None:
    """Ask until the store has the result: the first answer does not wait for that."""
    while not client.post("/ocr", files={"file": SCAN}, data={"store": "false"}).json()["cached"]:
        pass


def main() -> None:
    """Start the store, measure, print."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        say("starting the store")
        swift = Swift(Path(folder))
        swift.start()
        try:
            with swift.front() as (store, _):
                print_table(measured(store))
        finally:
            swift.stop()


def print_table(taken: dict[str, list[float]]) -> None:
    """Print the medians, and how many times as long reading anew takes."""
    print(f"\nTesseract, a scan of one page; {TURNS} turns\n")
    print("| milliseconds | p50 | p95 | read anew / this |")
    print("|---|---|---|---|")
    anew = statistics.median(next(iter(taken.values())))
    for name, times in taken.items():
        p50, p95 = statistics.median(times), statistics.quantiles(times, n=20)[-1]
        print(f"| {name} | {p50 * 1e3:.1f} | {p95 * 1e3:.1f} | {anew / p50:.1f} |")


if __name__ == "__main__":
    main()
