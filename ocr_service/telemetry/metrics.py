"""The counters and histograms of `/metrics`: names, labels and buckets.

The code that does the work updates them. Values that are read at a scrape are a `StateGauge` in
`api/state_metrics.py`. No label contains a value from a client.
"""

from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

from ocr_service.core.documents import WarningCode
from ocr_service.telemetry.request_context import Record

# A creation time per series would double their number, and Prometheus detects resets without it.
disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

# From a cache hit to a long document in a full backlog.
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300)
_BYTES = tuple(2.0**power for power in range(14, 30, 2))
_OK = 200


def _counter(name: str, documentation: str, label: str = "", values: Iterable[str] = ()) -> Counter:
    """Create a counter. Known values of its label start at 0, because `rate` needs a first sample."""
    counter = Counter(name, documentation, [label] if label else [], registry=REGISTRY)
    for value in values:
        counter.labels(value)
    return counter


def _histogram(
    name: str, documentation: str, labels: Sequence[str] = (), buckets: Sequence[float] = _SECONDS
) -> Histogram:
    return Histogram(name, documentation, labels, registry=REGISTRY, buckets=buckets)


requests = Counter(
    "ocr_requests_total",
    "Finished requests, by route, or `other`. Status 499: the client disconnected. `engine` is empty if the "
    "request has no document.",
    ["route", "status", "engine"],
    registry=REGISTRY,
)
request_duration = _histogram(
    "ocr_request_duration_seconds",
    "Time from the headers of a request to the end of the answer, for successful document requests.",
    ["route"],
)
document_size = _histogram("ocr_document_size_bytes", "Size of the received documents.", buckets=_BYTES)

connections_closed = _counter(
    "ocr_connections_closed_total",
    "Connections that were closed to make room. `idle`: too many are open. `unread`: answers fill the "
    "memory.",
    "reason",
    ("idle", "unread"),
)

pages = _counter(
    "ocr_pages_total",
    "Processed pages. `partly`: some blocks failed. `dropped`: the request was cancelled.",
    "outcome",
    ("read", "partly", "failed", "dropped"),
)
page_warnings = _counter(
    "ocr_page_warnings_total", "Processed pages with a warning, by its code.", "code", WarningCode
)
doubtful_pages = _counter(
    "ocr_doubtful_pages_total",
    "Processed pages with a warning that text may be wrong or missing.",
)
blocks = _counter("ocr_blocks_total", "Blocks of the processed pages.", "outcome", ("read", "failed"))
page_queue = _histogram(
    "ocr_page_queue_duration_seconds", "Time that a page waits for a slot and for the engine."
)
page_decode = _histogram("ocr_page_decode_duration_seconds", "Decoding time of a page.")
decoders_lost = _counter(
    "ocr_decoders_lost_total",
    "Decoding processes that ended before they replied. `died`: a crash or a limit. `stopped`: nobody waited "
    "any more, or the work starts again in the slow lane.",
    "reason",
    ("died", "stopped"),
)
recognizers_lost = _counter(
    "ocr_recognizers_lost_total",
    "Tesseract processes that ended before they replied. `died`: a crash or a limit. `stopped`: nobody "
    "waited any more.",
    "reason",
    ("died", "stopped"),
)
page_recognition = _histogram("ocr_page_recognition_duration_seconds", "Recognition time of a page.")

cache_lookups = _counter(
    "ocr_cache_lookups_total",
    "Cache lookups. `joined`: another request was reading the same document.",
    "outcome",
    ("memory", "store", "joined", "miss"),
)

documents_stored = _counter(
    "ocr_documents_stored_total",
    "Documents to store, by the status in the answer. `pending`: in the spool.",
    "outcome",
    ("stored", "pending", "failed"),
)
storing_duration = _histogram(
    "ocr_storing_duration_seconds", "Time to store or spool a document, while the client waits."
)

job_attempts = _counter(
    "ocr_job_attempts_total",
    "Attempts at jobs that this process began. `takeover`: an earlier attempt had ended without an end.",
    "kind",
    ("first", "takeover"),
)
jobs_ended = _counter(
    "ocr_jobs_ended_total", "Jobs that this process brought to their end.", "outcome", ("done", "failed")
)

job_callbacks = _counter(
    "ocr_job_callbacks_total", "Calls of the `callback_url` of jobs.", "outcome", ("accepted", "failed")
)

_VLM_OUTCOMES = (
    "answered",
    "cancelled",
    "recognition_failed",
    "repetition",
    "truncated",
    "vlm_timeout",
    "vlm_unavailable",
)
vlm_calls = Counter(
    "ocr_vlm_calls_total",
    "Calls to a vLLM server, one per block: `answered`, `cancelled` (the page was dropped) or an error code.",
    ["server", "outcome"],
    registry=REGISTRY,
)
vlm_call_duration = _histogram(
    "ocr_vlm_call_duration_seconds", "Time of a call to a vLLM server, with any outcome.", ["server"]
)
vlm_retries = _counter(
    "ocr_vlm_retries_total", "Calls that were repeated because vLLM had closed the connection.", "server"
)
vlm_failovers = _counter(
    "ocr_vlm_failovers_total", "Calls that failed at this server and were sent to another one.", "server"
)
vlm_hangs = _counter(
    "ocr_vlm_hangs_total",
    "Times that vLLM had calls and generated nothing for `OCR_VLM_HANG_TIMEOUT`.",
    "server",
)
vlm_calls_in_flight = Gauge(
    "ocr_vlm_calls_in_flight", "Calls to a vLLM server in progress.", ["server"], registry=REGISTRY
)


class VlmMetrics:
    """The series of one vLLM server, all of which are 0 before its first call.

    server: its URL without credentials.
    """

    def __init__(self, server: str) -> None:
        self._server = server
        self.in_flight = vlm_calls_in_flight.labels(server)
        self.duration = vlm_call_duration.labels(server)
        self.retries = vlm_retries.labels(server)
        self.failovers = vlm_failovers.labels(server)
        self.hangs = vlm_hangs.labels(server)
        for outcome in _VLM_OUTCOMES:
            self.calls(outcome)

    def calls(self, outcome: str) -> Counter:
        """Return the counter of the calls with this outcome."""
        return vlm_calls.labels(self._server, outcome)


def create_series(routes: Iterable[str], statuses: Sequence[int], engine: str) -> None:
    """Create the series of the document routes, so that they are 0 before the first request."""
    for route in routes:
        request_duration.labels(route)
        for status in statuses:
            requests.labels(route, str(status), engine)


def count_request(record: Record) -> None:
    """Count a finished request."""
    assert record.status is not None and record.seconds is not None
    requests.labels(record.route, str(record.status), record.engine or "").inc()
    if record.document_bytes is not None:
        document_size.observe(record.document_bytes)
    # Probes and scrapes are far more frequent, so their durations would hide the others.
    if record.engine is not None and record.status == _OK:
        request_duration.labels(record.route).observe(record.seconds)
