"""How soon the service answers: after its start, while every core recognises, and to a pixel bomb."""

import statistics
import sys
import threading
import time

import httpx

from benchmarks import seconds
from ocr_service.cores import usable_cores
from tests.running import RunningService
from tests.samples import RUSSIAN, bomb_png, pdf_of_images, printed_page

STARTS = 5
PROBES = 2000
PROBES_A_SECOND = 100
BOMB_SIDE = 25_000
READERS = 2 * usable_cores()


def first_answers() -> list[float]:
    """Start the service again and again; return the seconds to its first answer."""
    taken = []
    for number in range(STARTS):
        with RunningService() as service:
            taken.append(service.first_answer)
        print(f"start {number + 1} of {STARTS}: {taken[-1]:.2f} s", file=sys.stderr)
    return taken


def probed(client: httpx.Client, count: int) -> list[float]:
    """Ask for `/health` at a steady pace; return the seconds of each answer."""
    taken = []
    due = time.perf_counter()
    for number in range(count):
        taken.append(seconds(lambda: client.get("/health").raise_for_status()))
        if number % (count // 5) == 0:
            print(f"probe {number} of {count}", file=sys.stderr)
        due += 1 / PROBES_A_SECOND
        time.sleep(max(0.0, due - time.perf_counter()))
    return taken


def probed_under_load(service: RunningService) -> tuple[list[float], int]:
    """Probe while twice as many long PDFs as there are cores are being read; also count the pages read."""
    pages = pdf_of_images([printed_page(RUSSIAN).image] * 8)
    stop = threading.Event()
    read: list[int] = []

    def keep_reading() -> None:
        with httpx.Client(base_url=service.url, timeout=600) as client:
            while not stop.is_set():
                answer = client.post("/ocr", files={"file": pages}).raise_for_status().json()
                read.append(len(answer["pages"]))

    readers = [threading.Thread(target=keep_reading) for _ in range(READERS)]
    for reader in readers:
        reader.start()
    taken = probed(service.client, PROBES)
    stop.set()
    for reader in readers:
        reader.join()
    return taken, sum(read)


def main() -> None:
    """Measure and print the table."""
    starts = first_answers()
    with RunningService() as service:
        idle = probed(service.client, PROBES // 4)
        bomb = bomb_png(BOMB_SIDE)
        refusals = [seconds(lambda: service.client.post("/ocr", files={"file": bomb})) for _ in range(20)]
        busy, pages = probed_under_load(service)
    print(f"\n{usable_cores()} cores; under load {READERS} callers, {pages} pages read\n")
    print("| milliseconds | median | p99 | max |")
    print("|---|---|---|---|")
    rows = {
        "first answer after start": starts,
        "/health, idle": idle,
        "/health while every core recognises": busy,
        f"refusal of {BOMB_SIDE**2 // 1_000_000} megapixels in {len(bomb) // 1000} kB": refusals,
    }
    for name, taken in rows.items():
        p99 = statistics.quantiles(taken, n=100, method="inclusive")[-1]
        print(f"| {name} | {statistics.median(taken) * 1e3:.1f} | {p99 * 1e3:.1f} | {max(taken) * 1e3:.1f} |")


if __name__ == "__main__":
    main()
