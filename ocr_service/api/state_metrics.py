"""Metrics that are read from the state of the service at a scrape; reading never blocks."""

import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import Metric
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

from ocr_service import __version__
from ocr_service.admission.admission import Admission
from ocr_service.api.requests.upload_disk import UploadDisk
from ocr_service.core.engine import Engine, EngineState, VlmState
from ocr_service.decoding.document import DECODERS
from ocr_service.jobs.job import JobState
from ocr_service.jobs.jobs import Jobs
from ocr_service.pipeline.pipeline import Pipeline
from ocr_service.runtime.open_connections import OpenConnections
from ocr_service.runtime.processes.pool import Pool
from ocr_service.storage.result_store import ResultStore
from ocr_service.telemetry.gpus import Gpu
from ocr_service.telemetry.metrics import REGISTRY


@dataclass(frozen=True, slots=True)
class StateGauge:
    """A gauge that is read from a service at a scrape. A process can have several services."""

    name: str
    documentation: str
    labels: tuple[str, ...] = ()

    def of(self, value: float | None) -> GaugeMetricFamily:
        """Make a sample of the value; no sample if it is None."""
        return GaugeMetricFamily(self.name, self.documentation, value=value)

    def each(self, values: Mapping[tuple[str, ...], float]) -> GaugeMetricFamily:
        """Make a sample for each set of label values."""
        family = GaugeMetricFamily(self.name, self.documentation, labels=self.labels)
        for labels, value in values.items():
            family.add_metric(labels, value)
        return family

    def one_of(self, states: Iterable[str], current: str) -> GaugeMetricFamily:
        """Make a sample for each state: 1 for the current one, 0 for the others."""
        return self.each({(state,): float(state == current) for state in states})


@dataclass(frozen=True, slots=True)
class StateCounter:
    """A counter that is read from a service at a scrape."""

    name: str
    documentation: str
    label: str

    def each(self, values: Mapping[str, float]) -> CounterMetricFamily:
        """Make a sample for each value of the label."""
        family = CounterMetricFamily(self.name, self.documentation, labels=[self.label])
        for label, value in values.items():
            family.add_metric([label], value)
        return family


build_info = StateGauge(
    "ocr_build_info",
    "Always 1; the labels are the versions. The version of the engine is empty before its start.",
    ("version", "engine", "engine_version", "python"),
)
engine_state = StateGauge(
    "ocr_engine_state", "1 for the current state of the engine, 0 for the others.", ("state",)
)
vlm_up = StateGauge(
    "ocr_vlm_up",
    "1 if the vLLM server is ready, else 0; no sample if the engine does not use it.",
    ("server",),
)
vlm_state = StateGauge(
    "ocr_vlm_state", "1 for the current state of a vLLM server, 0 for the others.", ("server", "state")
)
requests_in_flight = StateGauge("ocr_requests_in_flight", "Requests for documents that are not answered yet.")
requests_waiting = StateGauge(
    "ocr_requests_waiting",
    "Requests whose document has arrived and that have no page in flight (the backlog).",
)
requests_waiting_limit = StateGauge("ocr_requests_waiting_limit", "Maximum number of waiting requests.")
requests_refused = StateCounter(
    "ocr_requests_refused_total",
    "Requests that were refused because of overload or shutdown, by error code.",
    "reason",
)
pages_ahead = StateGauge("ocr_pages_ahead", "Pages of the documents of requests that are not read yet.")
pages_in_flight = StateGauge("ocr_pages_in_flight", "Pages that are being decoded or recognized.")
pages_limit = StateGauge("ocr_pages_in_flight_limit", "Maximum number of pages in flight.")
pixels_in_flight = StateGauge("ocr_pixels_in_flight", "Pixels of the pages in flight.")
pixels_limit = StateGauge("ocr_pixels_in_flight_limit", "Maximum number of pixels in flight.")
decoders_busy = StateGauge("ocr_decoders_busy", "Decoding processes at work, by their lane.", ("lane",))
decoders_limit = StateGauge(
    "ocr_decoders_limit", "Maximum number of these processes, by their lane.", ("lane",)
)
documents_held = StateGauge("ocr_documents_held_bytes", "Size of the received documents in memory.")
documents_limit = StateGauge(
    "ocr_documents_held_limit_bytes", "Maximum size of the received documents in memory."
)
answers_unread = StateGauge("ocr_answers_unread_bytes", "Size of the answers that wait for slow readers.")
connections_open = StateGauge("ocr_connections_open", "Open connections.")
connections_limit = StateGauge("ocr_connections_limit", "Maximum number of open connections.")
upload_disk_used = StateGauge("ocr_upload_disk_bytes", "Size of the incomplete uploads on disk.")
upload_disk_limit = StateGauge(
    "ocr_upload_disk_limit_bytes", "Maximum size of the incomplete uploads on disk."
)
cache_memory = StateGauge("ocr_cache_memory_bytes", "Size of the cached results in memory.")
storage_up = StateGauge(
    "ocr_storage_up", "1 if the last use of the storage succeeded, else 0; no sample if there is none."
)
spool_documents = StateGauge("ocr_spool_documents", "Documents in the spool, which wait for the storage.")
spool_bytes = StateGauge("ocr_spool_bytes", "Size of the documents in the spool.")
spool_limit = StateGauge("ocr_spool_limit_bytes", "Maximum size of the spool.")
jobs = StateGauge(
    "ocr_jobs", "Jobs that are kept, by state; no sample while their database cannot be read.", ("state",)
)
jobs_at_work = StateGauge("ocr_jobs_at_work", "Jobs that this process reads.")
jobs_oldest = StateGauge(
    "ocr_jobs_oldest_pending_seconds", "Time since the submit of the oldest pending job; 0 if there is none."
)
gpu_utilization = StateGauge("ocr_gpu_utilization_ratio", "Utilization of the GPU, 0 to 1.", ("gpu",))
gpu_memory_used = StateGauge("ocr_gpu_memory_used_bytes", "Memory of the GPU in use.", ("gpu",))
gpu_memory_size = StateGauge("ocr_gpu_memory_size_bytes", "Total memory of the GPU.", ("gpu",))


class Scrape:
    """The metrics of one scrape: the counted ones, and the state of the service at that moment."""

    def __init__(
        self,
        pipeline: Pipeline,
        admission: Admission,
        result_store: ResultStore,
        connections: OpenConnections,
        jobs_of_service: Jobs,
        upload_disk: UploadDisk,
        gpus: Sequence[Gpu],
    ) -> None:
        # Read here, in the event loop, because another thread encodes it.
        self._state = [
            *_of_engine(pipeline.engine),
            *_of_admission(admission),
            *_of_connections(connections),
            upload_disk_used.of(upload_disk.used),
            upload_disk_limit.of(upload_disk.max_bytes),
            *_of_decoders(DECODERS),
            cache_memory.of(pipeline.cache.memory_bytes if pipeline.cache else None),
            *_of_result_store(result_store),
            *_of_jobs(jobs_of_service),
            *_of_gpus(gpus),
        ]

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics to an encoder."""
        yield from REGISTRY.collect()
        yield from self._state


def _of_engine(engine: Engine) -> Iterator[Metric]:
    versions = (__version__, engine.name, engine.version or "", platform.python_version())
    yield build_info.each({versions: 1})
    yield engine_state.one_of(EngineState, engine.state)
    servers = engine.vlm.servers
    yield vlm_up.each({(server.url or "",): float(server.state is VlmState.READY) for server in servers})
    yield vlm_state.each(
        {(server.url or "", state): float(server.state is state) for server in servers for state in VlmState}
    )


def _of_admission(admission: Admission) -> Iterator[Metric]:
    slots, bounds = admission.slots, admission.bounds
    yield requests_in_flight.of(admission.visits)
    yield requests_waiting.of(admission.waiting)
    yield requests_waiting_limit.of(bounds.waiting)
    yield requests_refused.each(admission.refused)
    yield pages_ahead.of(admission.pages_ahead)
    yield pages_in_flight.of(slots.taken)
    yield pages_limit.of(slots.limit)
    yield pixels_in_flight.of(slots.size_taken)
    yield pixels_limit.of(slots.pixels)
    yield documents_held.of(admission.memory.held)
    yield documents_limit.of(bounds.document_bytes)


def _of_connections(connections: OpenConnections) -> Iterator[Metric]:
    yield connections_open.of(connections.count)
    yield connections_limit.of(connections.max_count)
    yield answers_unread.of(connections.unread)


def _of_decoders(decoders: Pool) -> Iterator[Metric]:
    lanes = {"quick": decoders.quick, "slow": decoders.slow}
    yield decoders_busy.each({(name,): lane.taken for name, lane in lanes.items()})
    yield decoders_limit.each({(name,): lane.places for name, lane in lanes.items()})


def _of_result_store(result_store: ResultStore) -> Iterator[Metric]:
    known = result_store.storage is not None and result_store.checked
    yield storage_up.of(float(result_store.error is None) if known else None)
    spool = result_store.spool
    yield spool_documents.of(spool.depth.documents if spool else None)
    yield spool_bytes.of(spool.depth.size if spool else None)
    yield spool_limit.of(spool.max_bytes if spool else None)


def _of_jobs(jobs_of_service: Jobs) -> Iterator[Metric]:
    state = jobs_of_service.queue_state
    yield jobs.each({(name,): state.jobs.get(name, 0) for name in JobState} if state else {})
    yield jobs_at_work.of(jobs_of_service.at_work)
    yield jobs_oldest.of(None if state is None else state.oldest or 0.0)


def _of_gpus(gpus: Sequence[Gpu]) -> Iterator[Metric]:
    def each_gpu(gauge: StateGauge, values: Iterable[float | None]) -> Metric:
        known = zip(gpus, values, strict=True)
        return gauge.each({(str(gpu.index),): value for gpu, value in known if value is not None})

    yield each_gpu(gpu_utilization, (gpu.utilization for gpu in gpus))
    yield each_gpu(gpu_memory_used, (gpu.memory_used for gpu in gpus))
    yield each_gpu(gpu_memory_size, (gpu.memory_size for gpu in gpus))
