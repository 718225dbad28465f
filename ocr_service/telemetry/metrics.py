"""What is counted and measured, for Prometheus: every name, label and bucket of `/metrics`.

Whoever does something counts it here where it happens. What is read off the service when somebody looks is a
`StateGauge`, in `api/state_metrics.py`. No label holds what a caller has chosen.
"""

from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

from ocr_service.telemetry.request_context import Record

# When each series began would double their number; Prometheus finds resets by itself.
disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

# From a page of the cache to a long document behind a full engine.
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300)
_BYTES = tuple(2.0**power for power in range(14, 30, 2))
_ANSWERED = 200


def _counter(name: str, documentation: str, label: str = "", values: Iterable[str] = ()) -> Counter:
    """Make a counter; values of its label that are known stand at 0 from the start, as rates need it."""
    made = Counter(name, documentation, [label] if label else [], registry=REGISTRY)
    for value in values:
        made.labels(value)
    return made


def _histogram(
    name: str, documentation: str, labels: Sequence[str] = (), buckets: Sequence[float] = _SECONDS
) -> Histogram:
    return Histogram(name, documentation, labels, registry=REGISTRY, buckets=buckets)


requests = Counter(
    "ocr_requests_total",
    "Requests that ended, by the route's path, or `other`; status 499: the caller left first. `engine` is "
    "empty where no document was to be read.",
    ["route", "status", "engine"],
    registry=REGISTRY,
)
request_duration = _histogram(
    "ocr_request_duration_seconds",
    "From a request's headers to its answer's end, for documents that were answered with a text.",
    ["route"],
)
document_size = _histogram("ocr_document_size_bytes", "Size of the documents that came.", buckets=_BYTES)

pages = _counter(
    "ocr_pages_total",
    "Pages that were worked on; `partly`: some blocks failed, `dropped`: nobody waited any more.",
    "outcome",
    ("read", "partly", "failed", "dropped"),
)
blocks = _counter("ocr_blocks_total", "Blocks of pages that were read.", "outcome", ("read", "failed"))
page_queue = _histogram(
    "ocr_page_queue_duration_seconds", "Wait of a page for its place in flight and in the engine."
)
page_decode = _histogram("ocr_page_decode_duration_seconds", "Decoding of a page.")
page_recognition = _histogram("ocr_page_recognition_duration_seconds", "Recognition of a page.")

cache_lookups = _counter(
    "ocr_cache_lookups_total",
    "Searches for a result that was read before; `joined`: another request was reading it just then.",
    "outcome",
    ("memory", "store", "joined", "miss"),
)

documents_stored = _counter(
    "ocr_documents_stored_total",
    "Documents to be stored, by what their callers were told; `pending`: they wait in the spool.",
    "outcome",
    ("stored", "pending", "failed"),
)
storing_duration = _histogram(
    "ocr_storing_duration_seconds", "Storing of a document, or spooling it, while its caller waits."
)

vlm_calls = _counter(
    "ocr_vlm_calls_total",
    "Calls to vLLM, one a block, by what came of them: an answer, nothing as the page was given up, or an "
    "error's code.",
    "outcome",
    ("answered", "cancelled", "recognition_failed", "vlm_timeout", "vlm_unavailable"),
)
vlm_call_duration = _histogram("ocr_vlm_call_duration_seconds", "Calls to vLLM, whatever came of them.")
vlm_retries = _counter(
    "ocr_vlm_retries_total", "Calls sent a second time, as the connection was closed just then."
)
vlm_calls_in_flight = Gauge("ocr_vlm_calls_in_flight", "Calls to vLLM just now.", registry=REGISTRY)


def create_series(routes: Iterable[str], statuses: Sequence[int], engine: str) -> None:
    """Let the series of the routes that read documents stand at 0 before the first request."""
    for route in routes:
        request_duration.labels(route)
        for status in statuses:
            requests.labels(route, str(status), engine)


def count_request(known: Record) -> None:
    """Count a request at its end."""
    assert known.status is not None and known.seconds is not None
    requests.labels(known.route, str(known.status), known.engine or "").inc()
    if known.document_bytes is not None:
        document_size.observe(known.document_bytes)
    # Probes and scrapes, a thousand times as many, are only counted: they would drown the others.
    if known.engine is not None and known.status == _ANSWERED:
        request_duration.labels(known.route).observe(known.seconds)
