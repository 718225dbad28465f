"""Two hundred clients for a minute, honest ones and others: who is answered how, and how the service fares.

The clients are a process of their own, as is whoever asks for `/health`; all share this machine's cores with
the service. Ends with an error where the service answered 500 to anything, or died.
"""

import http.client
import multiprocessing
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.load_clients import CLIENTS, UNFINISHED, Outcome, crowd
from benchmarks.load_documents import BOUNDARY, Documents, documents
from benchmarks.probing import PROBES_A_SECOND, print_milliseconds
from benchmarks.processes import peak_rss_mib, rss_mib
from benchmarks.vl_stage import models_and_vllm, service_on
from ocr_service.runtime.cores import usable_cores
from tests.running import RunningService

SECONDS = 60
WATCHED = {"after a sixth": 1 / 6, "after a third": 1 / 3, "after two thirds": 2 / 3, "at the end": 1}
# Longer than the service waits before it returns memory to the system.
REST_SECONDS = 7
# For pages whose callers have left.
MOST_CLEARING_SECONDS = 60
WATCHED = {"after a sixth": 1 / 6, "after a third": 1 / 3, "after two thirds": 2 / 3, "at the end": 1}

# What must be nothing once everybody has gone.
LEFT_BEHIND = (
    "ocr_requests_in_flight",
    "ocr_requests_waiting",
    "ocr_pages_ahead",
    "ocr_pages_in_flight",
    "ocr_pixels_in_flight",
    "ocr_documents_held_bytes",
)


@dataclass(frozen=True)
class Sample:
    """What the service holds at one moment. resident, peak: MiB."""

    when: str
    resident: float
    peak: float
    descriptors: int
    threads: int

    @classmethod
    def of(cls, when: str, pid: int) -> "Sample":
        """Look at a process."""
        descriptors, threads = (
            sum(1 for _ in Path(f"/proc/{pid}", name).iterdir()) for name in ("fd", "task")
        )
        return cls(when, rss_mib(pid), peak_rss_mib(pid), descriptors, threads)


@dataclass(frozen=True)
class Seen:
    """What one service went through."""

    outcomes: list[Outcome]
    health: list[float]
    samples: list[Sample]
    left_behind: dict[str, float]


def probe(url: str, seconds: float) -> list[float]:
    """Ask for `/health` at a steady pace, on one connection; return the seconds of each answer."""
    taken = []
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    due = began = time.perf_counter()
    while due < began + seconds:
        asked = time.perf_counter()
        connection.request("GET", "/health")
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
        taken.append(time.perf_counter() - asked)
        due += 1 / PROBES_A_SECOND
        time.sleep(max(0.0, due - time.perf_counter()))
    return taken


def loaded(service: RunningService, sent: Documents) -> Seen:
    """Let the crowd in, watch, and see what is left when it has gone."""
    pid = service.process.pid
    samples = [Sample.of("before", pid)]
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as processes:
        clients = processes.submit(crowd, service.url, sent, SECONDS)
        health = processes.submit(probe, service.url, SECONDS)
        samples += _watched(pid)
        outcomes, probes = clients.result(), health.result()
    left = _once_cleared(service)
    time.sleep(REST_SECONDS)
    samples.append(Sample.of("at rest", pid))
    return Seen(outcomes, probes, samples, left)


def _watched(pid: int) -> Iterator[Sample]:
    began = time.monotonic()
    for when, share in WATCHED.items():
        time.sleep(max(0.0, began + share * SECONDS - time.monotonic()))
        yield Sample.of(when, pid)


def _once_cleared(service: RunningService) -> dict[str, float]:
    """Return what is left behind as soon as it is nothing, or when that takes too long."""
    give_up_at = time.monotonic() + MOST_CLEARING_SECONDS
    while any((left := _left_behind(service)).values()) and time.monotonic() < give_up_at:
        time.sleep(0.5)
    return left


def _left_behind(service: RunningService) -> dict[str, float]:
    text = service.client.get("/metrics").raise_for_status().text
    gauges = {family.name: family.samples for family in text_string_to_metric_families(text)}
    return {name: gauges[name][0].value for name in LEFT_BEHIND}


@contextmanager
def tesseract() -> Iterator[tuple[RunningService, Documents]]:
    """Run the service with Tesseract."""
    with RunningService() as service:
        yield service, documents(dpi=300)


@contextmanager
def paddleocr_vl() -> Iterator[tuple[RunningService, Documents]]:
    """Run the service with PaddleOCR-VL on stand-ins."""
    with models_and_vllm() as (models, vllm), service_on(models, vllm) as service:
        yield service, documents(dpi=144)


def main() -> None:
    """Load both engines, print the tables; end with an error where a request failed that must not."""
    failed = False
    engines = {"tesseract": tesseract, "paddleocr-vl": paddleocr_vl}
    for name in sys.argv[1:] or engines:
        with engines[name]() as (service, sent):
            warm_up(service, sent)
            seen = loaded(service, sent)
            alive = service.process.poll() is None
        print_tables(name, seen)
        failed |= not alive or any(outcome.what.startswith("500") for outcome in seen.outcomes)
    if failed:
        sys.exit("the service answered 500, or died")


def warm_up(service: RunningService, sent: Documents) -> None:
    """Let the engine be built, and memory take its shape."""
    for body in (sent.small[0], sent.long[0]):
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        service.client.post("/ocr", content=body, headers=headers).raise_for_status()
    time.sleep(REST_SECONDS)


def print_tables(engine: str, seen: Seen) -> None:
    """Print what became of the requests, how `/health` fared, and what the service held."""
    clients = ", ".join(f"{count} {kind}" for kind, count in CLIENTS.items())
    print(f"\n{engine}, {usable_cores()} cores for everybody, {SECONDS} s: {clients}\n")
    _print_outcomes(seen.outcomes)
    print()
    print_milliseconds({"`/health`": seen.health})
    print("\n| | resident MiB | peak MiB | descriptors | threads |\n|---|---|---|---|---|")
    for s in seen.samples:
        print(f"| {s.when} | {s.resident:.0f} | {s.peak:.0f} | {s.descriptors} | {s.threads} |")
    behind = ", ".join(f"{name} {value:g}" for name, value in seen.left_behind.items() if value)
    print(f"\nleft behind: {behind or 'nothing'}")


def _print_outcomes(outcomes: Sequence[Outcome]) -> None:
    counts = Counter((outcome.kind, outcome.what) for outcome in outcomes)
    print("| clients | outcome | requests | p50 s | p95 s | max s |\n|---|---|---|---|---|---|")
    for kind in CLIENTS:
        for what in sorted({what for of_kind, what in counts if of_kind == kind}):
            taken = [o.seconds for o in outcomes if (o.kind, o.what) == (kind, what)]
            p95 = statistics.quantiles(taken, n=20, method="inclusive")[-1] if len(taken) > 1 else taken[0]
            figures = f"{statistics.median(taken):.2f} | {p95:.2f} | {max(taken):.2f}"
            print(f"| {kind} | {what} | {len(taken)} | {figures if what != UNFINISHED else ' | | '} |")


if __name__ == "__main__":
    main()
