"""The effect of an attack: honest latency, `/health`, memory, and the state afterwards."""

import http.client
import statistics
import threading
import time
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.attack.beside import begin, beside
from benchmarks.attack.callers import Address
from benchmarks.processes import memory_of_tree_mib
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
# A page from the cache would tell nothing.
_PAGE_PATH = "/ocr?cache=false"
_PROBE_PAUSE = 0.02
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
    def health_latency(self) -> float:
        """Median seconds of `/health`."""
        return statistics.median(self.health or [_TIMEOUT])

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
    """Measure for some seconds."""
    peak = 0.0
    with beside(_probe, address_of(service), page) as probes:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            peak = max(peak, memory_of_tree_mib(service.process.pid))
            time.sleep(_MEMORY_PAUSE)
    seen = probes.result()
    seen.peak = peak
    return seen


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


def _probe(address: Address, page: bytes, stop: Event) -> Seen:
    begin()
    seen = Seen()
    prober = threading.Thread(target=_probe_health, args=(address, seen, stop))
    prober.start()
    # At least one request, although the time may be over before this process is ready.
    is_over = False
    while not is_over:
        is_over = stop.is_set()
        spent = _request(address, "POST", _PAGE_PATH, page, seen)
        if spent is not None:
            seen.honest.append(spent)
    prober.join()
    return seen


def _probe_health(address: Address, seen: Seen, stop: Event) -> None:
    while not stop.wait(_PROBE_PAUSE):
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
