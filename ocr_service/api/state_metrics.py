"""What is read off a service when somebody looks at its metrics; never waits."""

import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import Metric
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

from ocr_service import __version__
from ocr_service.admission.admission import Admission
from ocr_service.core.engine import Engine, EngineState, VlmState
from ocr_service.pipeline.pipeline import Pipeline
from ocr_service.storage.result_store import ResultStore
from ocr_service.telemetry.gpus import Gpu
from ocr_service.telemetry.metrics import REGISTRY


@dataclass(frozen=True, slots=True)
class StateGauge:
    """A gauge that is read off a service when somebody looks; a process may hold several services."""

    name: str
    documentation: str
    labels: tuple[str, ...] = ()

    def of(self, value: float | None) -> GaugeMetricFamily:
        """Make what is shown of one value; nothing is shown of None."""
        return GaugeMetricFamily(self.name, self.documentation, value=value)

    def each(self, values: Mapping[tuple[str, ...], float]) -> GaugeMetricFamily:
        """Make what is shown of several, by the values of the labels."""
        shown = GaugeMetricFamily(self.name, self.documentation, labels=self.labels)
        for labels, value in values.items():
            shown.add_metric(labels, value)
        return shown

    def one_of(self, states: Iterable[str], current: str) -> GaugeMetricFamily:
        """Make a set of states: 1 for the current one, 0 for the others."""
        return self.each({(state,): float(state == current) for state in states})


@dataclass(frozen=True, slots=True)
class StateCounter:
    """A counter that is read off a service in the same way."""

    name: str
    documentation: str
    label: str

    def each(self, values: Mapping[str, float]) -> CounterMetricFamily:
        """Make what is shown, by the values of the label."""
        shown = CounterMetricFamily(self.name, self.documentation, labels=[self.label])
        for label, value in values.items():
            shown.add_metric([label], value)
        return shown


build_info = StateGauge(
    "ocr_build_info",
    "1, with what runs here; the engine's version is empty before it has started.",
    ("version", "engine", "engine_version", "python"),
)
engine_state = StateGauge("ocr_engine_state", "1 for the state that the engine is in.", ("state",))
vlm_up = StateGauge("ocr_vlm_up", "Whether vLLM is ready; nothing where the engine needs none.")
vlm_state = StateGauge("ocr_vlm_state", "1 for the state that vLLM is in.", ("state",))
requests_in_flight = StateGauge(
    "ocr_requests_in_flight", "Requests for documents that have come and are not answered yet."
)
requests_waiting = StateGauge(
    "ocr_requests_waiting", "Those whose document has arrived and of which no page is being read."
)
requests_waiting_limit = StateGauge("ocr_requests_waiting_limit", "Most requests that may wait.")
requests_refused = StateCounter(
    "ocr_requests_refused_total",
    "Requests that were refused for too much work, or as the service stops, by the error's code.",
    "reason",
)
pages_ahead = StateGauge("ocr_pages_ahead", "Pages of opened documents that are still to be read.")
pages_in_flight = StateGauge("ocr_pages_in_flight", "Pages that are being decoded or read.")
pages_limit = StateGauge("ocr_pages_in_flight_limit", "Most pages that may be in flight.")
pixels_in_flight = StateGauge("ocr_pixels_in_flight", "Pixels of the pages in flight.")
pixels_limit = StateGauge("ocr_pixels_in_flight_limit", "Most pixels that may be in flight.")
documents_held = StateGauge("ocr_documents_held_bytes", "Documents that are held in memory as they came.")
documents_limit = StateGauge("ocr_documents_held_limit_bytes", "Most bytes of them that may be held.")
cache_memory = StateGauge("ocr_cache_memory_bytes", "Size of the results that the cache keeps in memory.")
storage_up = StateGauge(
    "ocr_storage_up", "Whether the storage took what it was last given; nothing where there is none."
)
spool_documents = StateGauge("ocr_spool_documents", "Documents that wait for the storage.")
spool_bytes = StateGauge("ocr_spool_bytes", "Bytes that wait for the storage.")
spool_limit = StateGauge("ocr_spool_limit_bytes", "Most bytes that may wait for it.")
gpu_utilization = StateGauge(
    "ocr_gpu_utilization_ratio", "Share of time in which the GPU computed, 0 to 1.", ("gpu",)
)
gpu_memory_used = StateGauge("ocr_gpu_memory_used_bytes", "Memory of the GPU that is in use.", ("gpu",))
gpu_memory_size = StateGauge("ocr_gpu_memory_size_bytes", "Memory of the GPU.", ("gpu",))


class Scrape:
    """All that one look shows: what was counted, and the service's state at that moment."""

    def __init__(
        self, pipeline: Pipeline, admission: Admission, result_store: ResultStore, gpus: Sequence[Gpu]
    ) -> None:
        # Read now: it is encoded in another thread.
        self._state = [
            *_of_engine(pipeline.engine),
            *_of_work(admission),
            cache_memory.of(pipeline.cache.memory_bytes if pipeline.cache else None),
            *_of_result_store(result_store),
            *_of_gpus(gpus),
        ]

    def collect(self) -> Iterable[Metric]:
        """Yield it, as an encoder wants it."""
        yield from REGISTRY.collect()
        yield from self._state


def _of_engine(engine: Engine) -> Iterator[Metric]:
    what = (__version__, engine.name, engine.version or "", platform.python_version())
    yield build_info.each({what: 1})
    yield engine_state.one_of(EngineState, engine.state)
    state = engine.vlm.state
    yield vlm_up.of(None if state is VlmState.DISABLED else float(state is VlmState.READY))
    yield vlm_state.one_of(VlmState, state)


def _of_work(admission: Admission) -> Iterator[Metric]:
    slots, bounds = admission.slots, admission.bounds
    yield requests_in_flight.of(admission.visits)
    yield requests_waiting.of(admission.waiting)
    yield requests_waiting_limit.of(bounds.waiting)
    yield requests_refused.each(admission.refused)
    yield pages_ahead.of(admission.pages_ahead)
    yield pages_in_flight.of(slots.pages_taken)
    yield pages_limit.of(slots.pages)
    yield pixels_in_flight.of(slots.pixels_taken)
    yield pixels_limit.of(slots.pixels)
    yield documents_held.of(admission.document_bytes)
    yield documents_limit.of(bounds.document_bytes)


def _of_result_store(result_store: ResultStore) -> Iterator[Metric]:
    known = result_store.storage is not None and result_store.checked
    yield storage_up.of(float(result_store.error is None) if known else None)
    spool = result_store.spool
    yield spool_documents.of(spool.depth.documents if spool else None)
    yield spool_bytes.of(spool.depth.size if spool else None)
    yield spool_limit.of(spool.max_bytes if spool else None)


def _of_gpus(gpus: Sequence[Gpu]) -> Iterator[Metric]:
    def shown(gauge: StateGauge, values: Iterable[float | None]) -> Metric:
        told = zip(gpus, values, strict=True)
        return gauge.each({(str(gpu.index),): value for gpu, value in told if value is not None})

    yield shown(gpu_utilization, (gpu.utilization for gpu in gpus))
    yield shown(gpu_memory_used, (gpu.memory_used for gpu in gpus))
    yield shown(gpu_memory_size, (gpu.memory_size for gpu in gpus))
