"""The effect of an attack: honest latency, `/health`, memory, and the state afterwards."""

import http.client
import multiprocessing
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.attack.callers import Address
from benchmarks.processes import tree_pss_mib
from tests.running import RunningService

# Gauges that must be zero when the attack is over.
_GAUGES = (
    "ocr_requests_in_flight",
    "ocr_requests_waiting",
    "ocr_pages_in_flight",
    "ocr_documents_held_bytes",
    "ocr_answers_unread_bytes",
    "ocr_upload_disk_bytes",
)
_PROBE_PAUSE = 0.05
_MEMORY_PAUSE = 0.25
_MOST_CLEARING_SECONDS = 90
_TIMEOUT = 60.0


@dataclass(slots=True)
class Seen:
    """Measurements over a time: seconds of the honest requests and of `/health`, and failures of both.

    peak: of the memory of all processes of the service, in MiB.
    """

    honest: list[float] = field(default_factory=list)
    health: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    peak: float = 0.0

    @property
    def latency(self) -> float:
        """Median seconds of an honest request."""
        return statistics.median(self.honest or [_TIMEOUT])

    @property
    def health_p99(self) -> float:
        """99th percentile of `/health` in seconds."""
        return sorted(self.health or [_TIMEOUT])[int(len(self.health) * 0.99) - 1]


def address_of(service: RunningService) -> Address:
    """Return the host and the port."""
    parts = urlsplit(service.url)
    assert parts.hostname is not None and parts.port is not None
    return parts.hostname, parts.port


def measure(service: RunningService, page: bytes, seconds: float) -> Seen:
    """Measure for some seconds, in a process of its own."""
    with _probing(service, page) as (seen, _):
        time.sleep(seconds)
    return seen


@contextmanager
def _probing(service: RunningService, page: bytes) -> Iterator[tuple[Seen, Event]]:
    context = multiprocessing.get_context("spawn")
    stop, memory = context.Event(), Seen()
    sampler = threading.Thread(target=_sample_memory, args=(service.process.pid, memory, stop))
    with ProcessPoolExecutor(1, context, initializer=_keep, initargs=(stop,)) as process:
        probes = process.submit(_probe, address_of(service), page)
        sampler.start()
        try:
            yield memory, stop
        finally:
            stop.set()
            found = probes.result()
            sampler.join()
            memory.honest, memory.health, memory.failures = found.honest, found.health, found.failures


def time_until_idle(service: RunningService) -> tuple[float, dict[str, float]]:
    """Wait until the gauges are zero; return the seconds, and the ones that are not after a time limit."""
    began = time.monotonic()
    while left := {name: value for name, value in _gauges(service).items() if value}:
        if time.monotonic() > began + _MOST_CLEARING_SECONDS:
            break
        time.sleep(0.5)
    return time.monotonic() - began, left


def _gauges(service: RunningService) -> dict[str, float]:
    text = service.client.get("/metrics").raise_for_status().text
    families = {family.name: family.samples for family in text_string_to_metric_families(text)}
    return {name: families[name][0].value for name in _GAUGES if name in families}


_stop: Event


def _keep(stop: Event) -> None:
    """Keep the event, which a process can only be given at its start."""
    global _stop
    _stop = stop


def _probe(address: Address, page: bytes) -> Seen:
    seen = Seen()
    prober = threading.Thread(target=_probe_health, args=(address, seen))
    prober.start()
    while not _stop.is_set():
        spent = _request(address, "POST", "/ocr", page, seen)
        if spent is not None:
            seen.honest.append(spent)
    prober.join()
    return seen


def _probe_health(address: Address, seen: Seen) -> None:
    while not _stop.wait(_PROBE_PAUSE):
        spent = _request(address, "GET", "/health/live", b"", seen)
        if spent is not None:
            seen.health.append(spent)


def _request(address: Address, method: str, path: str, body: bytes, seen: Seen) -> float | None:
    """Return the seconds of a request on a new connection, or None and a note if it fails."""
    began = time.perf_counter()
    connection = http.client.HTTPConnection(*address, timeout=_TIMEOUT)
    try:
        connection.request(method, path, body, {"Content-Type": "application/octet-stream"} if body else {})
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException) as error:
        seen.failures.append(f"{path} {type(error).__name__}")
        return None
    finally:
        connection.close()
    if answer.status != 200:
        seen.failures.append(f"{path} {answer.status}")
        time.sleep(_PROBE_PAUSE)
        return None
    return time.perf_counter() - began


def _sample_memory(pid: int, seen: Seen, stop: Event) -> None:
    while not stop.wait(_MEMORY_PAUSE):
        seen.peak = max(seen.peak, tree_pss_mib(pid))
