"""Latency of `/health` at a steady rate, alone or while other callers keep the service busy."""

import statistics
import threading
import time
from collections.abc import Callable, Mapping, Sequence

import httpx

from benchmarks import Progress, seconds

PROBES_A_SECOND = 100


def probe(client: httpx.Client, count: int) -> list[float]:
    """Request `/health` at a steady rate; return the latencies in seconds."""
    taken = []
    due = time.perf_counter()
    progress = Progress("probes", count)
    for _ in range(count):
        taken.append(seconds(lambda: client.get("/health").raise_for_status()))
        progress.step()
        due += 1 / PROBES_A_SECOND
        time.sleep(max(0.0, due - time.perf_counter()))
    return taken


def probe_during(url: str, count: int, work: Callable[[httpx.Client], object], callers: int) -> list[float]:
    """Probe while other callers repeat their work; return the latencies in seconds."""
    stop = threading.Event()

    def call() -> None:
        with httpx.Client(base_url=url, timeout=600) as client:
            while not stop.is_set():
                work(client)

    threads = [threading.Thread(target=call) for _ in range(callers)]
    for thread in threads:
        thread.start()
    with httpx.Client(base_url=url, timeout=600) as prober:
        taken = probe(prober, count)
    stop.set()
    for thread in threads:
        thread.join()
    return taken


def print_milliseconds(rows: Mapping[str, Sequence[float]]) -> None:
    """Print a table in milliseconds of latencies in seconds."""
    print("| milliseconds | median | p99 | max |")
    print("|---|---|---|---|")
    for name, taken in rows.items():
        p99 = statistics.quantiles(taken, n=100, method="inclusive")[-1]
        print(f"| {name} | {statistics.median(taken) * 1e3:.1f} | {p99 * 1e3:.1f} | {max(taken) * 1e3:.1f} |")
