"""Latency of the first response, of `/health` when all cores are busy, and of refusing a pixel bomb."""

import httpx

from benchmarks import say, seconds
from benchmarks.probing import print_milliseconds, probe, probe_during
from ocr_service.runtime.cores import usable_cores
from tests.running import RunningService
from tests.samples import RUSSIAN, bomb_png, pdf_of_images, printed_page

STARTS = 5
PROBES = 2000
BOMB_SIDE = 25_000
READERS = 2 * usable_cores()


def first_answers() -> list[float]:
    """Start the service several times; return the seconds until its first response."""
    taken = []
    for number in range(STARTS):
        with RunningService() as service:
            taken.append(service.first_answer)
        say(f"start {number + 1} of {STARTS}: {taken[-1]:.2f} s")
    return taken


def probe_under_load(service: RunningService) -> tuple[list[float], int]:
    """Probe while twice as many long PDFs as cores are being read; also count the pages read."""
    say("probing while all cores are busy")
    pages = pdf_of_images([printed_page(RUSSIAN).image] * 8)
    read: list[int] = []

    def read_all(client: httpx.Client) -> None:
        answer = client.post("/ocr", files={"file": pages}).raise_for_status().json()
        read.append(len(answer["pages"]))

    return probe_during(service.url, PROBES, read_all, READERS), sum(read)


def main() -> None:
    """Measure and print the table."""
    starts = first_answers()
    with RunningService() as service:
        idle = probe(service.client, PROBES // 4)
        say("making and sending the pixel bomb")
        bomb = bomb_png(BOMB_SIDE)
        refusals = [seconds(lambda: service.client.post("/ocr", files={"file": bomb})) for _ in range(20)]
        busy, pages = probe_under_load(service)
    print(f"\n{usable_cores()} cores; under load {READERS} callers, {pages} pages read\n")
    print_milliseconds(
        {
            "first answer after start": starts,
            "/health, idle": idle,
            "/health while all cores are busy": busy,
            f"refusal of {BOMB_SIDE**2 // 1_000_000} megapixels in {len(bomb) // 1000} kB": refusals,
        }
    )


if __name__ == "__main__":
    main()
