"""How `/health` fares with PaddleOCR-VL: while it is imported and built, and while many pages are read."""

import statistics
import sys
import threading
from collections.abc import Callable

import httpx

from benchmarks.bench_health import probed
from benchmarks.vl_stage import models_and_vllm, page_files, service_on
from ocr_service.cores import usable_cores

BUILDS = 5
BUILD_PROBES = 600
LOAD_PROBES = 2000
CLIENTS = 32


def probed_beside(url: str, probes: int, work: Callable[[httpx.Client], object], callers: int) -> list[float]:
    """Probe while so many callers do their work again and again; return the seconds of each answer."""
    stop = threading.Event()

    def call() -> None:
        with httpx.Client(base_url=url, timeout=600) as client:
            while not stop.is_set():
                work(client)

    threads = [threading.Thread(target=call) for _ in range(callers)]
    for thread in threads:
        thread.start()
    with httpx.Client(base_url=url, timeout=600) as prober:
        taken = probed(prober, probes)
    stop.set()
    for thread in threads:
        thread.join()
    return taken


def main() -> None:
    """Measure and print the table."""
    files = page_files(8)
    building: list[float] = []
    with models_and_vllm() as (models, vllm):

        def read(client: httpx.Client) -> None:
            client.post("/ocr", files={"file": files[0]}).raise_for_status()

        for number in range(BUILDS):
            with service_on(models, vllm) as service:
                building += probed_beside(service.url, BUILD_PROBES, read, callers=1)
            print(f"build {number + 1} of {BUILDS}", file=sys.stderr)
        with service_on(models, vllm) as service:
            read(service.client)
            reading = probed_beside(service.url, LOAD_PROBES, read, CLIENTS)
    print(f"\n{usable_cores()} cores\n")
    print("| milliseconds | median | p99 | max |")
    print("|---|---|---|---|")
    rows = {
        f"/health, first request imports and builds ({BUILDS} times)": building,
        f"/health, {CLIENTS} callers read pages": reading,
    }
    for name, taken in rows.items():
        ordered = sorted(1000 * seconds for seconds in taken)
        p99 = ordered[int(len(ordered) * 0.99)]
        print(f"| {name} | {statistics.median(ordered):.1f} | {p99:.1f} | {ordered[-1]:.0f} |")


if __name__ == "__main__":
    main()
