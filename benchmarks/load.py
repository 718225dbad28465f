"""Load of 200 clients for a minute, some of them faulty: outcomes, `/health` latency and resource use.

The clients run in their own process, and so does the `/health` probe; all share the cores with the service.
If the service answers any request with 500, or exits, the exit status is 1.
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

from benchmarks.load_clients import CLIENTS, UNFINISHED, Outcome, run_clients
from benchmarks.load_documents import BOUNDARY, Documents, documents
from benchmarks.probing import PROBES_A_SECOND, print_milliseconds
from benchmarks.processes import peak_rss_mib, rss_mib
from benchmarks.vl_stage import models_and_vllm, service_on
from ocr_service.runtime.cores import usable_cores
from tests.running import RunningService

SECONDS = 60
SAMPLE_TIMES = {"after a sixth": 1 / 6, "after a third": 1 / 3, "after two thirds": 2 / 3, "at the end": 1}
# Longer than the delay after which the service returns memory to the system.
REST_SECONDS = 7
# Time limit for pages of disconnected clients to finish.
MOST_CLEARING_SECONDS = 60

# Gauges that must be zero when all clients have disconnected.
GAUGES = (
    "ocr_requests_in_flight",
    "ocr_requests_waiting",
    "ocr_pages_ahead",
    "ocr_pages_in_flight",
    "ocr_pixels_in_flight",
    "ocr_documents_held_bytes",
)


@dataclass(frozen=True)
class Sample:
    """Resource use of the service at one time. resident, peak: MiB."""

    when: str
    resident: float
    peak: float
    descriptors: int
    threads: int

    @classmethod
    def of(cls, when: str, pid: int) -> "Sample":
        """Sample a process."""
        descriptors, threads = (
            sum(1 for _ in Path(f"/proc/{pid}", name).iterdir()) for name in ("fd", "task")
        )
        return cls(when, rss_mib(pid), peak_rss_mib(pid), descriptors, threads)


@dataclass(frozen=True)
class LoadResult:
    """Results of one service under load."""

    outcomes: list[Outcome]
    health: list[float]
    samples: list[Sample]
    busy_gauges: dict[str, float]


def probe(url: str, seconds: float) -> list[float]:
    """Request `/health` at a steady rate on one connection; return the latencies in seconds."""
    taken = []
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    due = began = time.perf_counter()
    while due < began + seconds:
        began_at = time.perf_counter()
        connection.request("GET", "/health")
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
        taken.append(time.perf_counter() - began_at)
        due += 1 / PROBES_A_SECOND
        time.sleep(max(0.0, due - time.perf_counter()))
    return taken


def run_load(service: RunningService, sent: Documents) -> LoadResult:
    """Run the clients, sample the service, and wait for its gauges to return to zero."""
    pid = service.process.pid
    samples = [Sample.of("before", pid)]
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as processes:
        clients = processes.submit(run_clients, service.url, sent, SECONDS)
        health = processes.submit(probe, service.url, SECONDS)
        samples += _samples(pid)
        outcomes, probes = clients.result(), health.result()
    left = _wait_until_idle(service)
    time.sleep(REST_SECONDS)
    samples.append(Sample.of("at rest", pid))
    return LoadResult(outcomes, probes, samples, left)


def _samples(pid: int) -> Iterator[Sample]:
    began = time.monotonic()
    for when, share in SAMPLE_TIMES.items():
        time.sleep(max(0.0, began + share * SECONDS - time.monotonic()))
        yield Sample.of(when, pid)


def _wait_until_idle(service: RunningService) -> dict[str, float]:
    """Wait until the gauges are zero, or a time limit is reached; return their values."""
    deadline = time.monotonic() + MOST_CLEARING_SECONDS
    while any((left := _busy_gauges(service)).values()) and time.monotonic() < deadline:
        time.sleep(0.5)
    return left


def _busy_gauges(service: RunningService) -> dict[str, float]:
    text = service.client.get("/metrics").raise_for_status().text
    gauges = {family.name: family.samples for family in text_string_to_metric_families(text)}
    return {name: gauges[name][0].value for name in GAUGES}


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
    """Load both engines, print the tables; if the service answered 500 or exited, the exit status is 1."""
    failed = False
    engines = {"tesseract": tesseract, "paddleocr-vl": paddleocr_vl}
    for name in sys.argv[1:] or engines:
        with engines[name]() as (service, sent):
            warm_up(service, sent)
            result = run_load(service, sent)
            alive = service.process.poll() is None
        print_tables(name, result)
        failed |= not alive or any(outcome.result.startswith("500") for outcome in result.outcomes)
    if failed:
        sys.exit("the service answered 500 or exited")


def warm_up(service: RunningService, sent: Documents) -> None:
    """Build the engine, and let memory reach its steady state."""
    for body in (sent.small[0], sent.long[0]):
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        service.client.post("/ocr", content=body, headers=headers).raise_for_status()
    time.sleep(REST_SECONDS)


def print_tables(engine: str, result: LoadResult) -> None:
    """Print the outcomes of the requests, the `/health` latency, and the resource use."""
    clients = ", ".join(f"{count} {kind}" for kind, count in CLIENTS.items())
    print(f"\n{engine}, {usable_cores()} cores shared by all processes, {SECONDS} s: {clients}\n")
    _print_outcomes(result.outcomes)
    print()
    print_milliseconds({"`/health`": result.health})
    print("\n| | resident MiB | peak MiB | descriptors | threads |\n|---|---|---|---|---|")
    for s in result.samples:
        print(f"| {s.when} | {s.resident:.0f} | {s.peak:.0f} | {s.descriptors} | {s.threads} |")
    behind = ", ".join(f"{name} {value:g}" for name, value in result.busy_gauges.items() if value)
    print(f"\nnot idle: {behind or 'nothing'}")


def _print_outcomes(outcomes: Sequence[Outcome]) -> None:
    counts = Counter((outcome.kind, outcome.result) for outcome in outcomes)
    print("| clients | outcome | requests | p50 s | p95 s | max s |\n|---|---|---|---|---|---|")
    for kind in CLIENTS:
        for result in sorted({result for of_kind, result in counts if of_kind == kind}):
            taken = [o.seconds for o in outcomes if (o.kind, o.result) == (kind, result)]
            p95 = statistics.quantiles(taken, n=20, method="inclusive")[-1] if len(taken) > 1 else taken[0]
            figures = f"{statistics.median(taken):.2f} | {p95:.2f} | {max(taken):.2f}"
            print(f"| {kind} | {result} | {len(taken)} | {figures if result != UNFINISHED else ' | | '} |")


if __name__ == "__main__":
    main()
