"""What is read off a service when somebody looks at its metrics; never waits."""

import platform
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import Metric

from ocr_service import __version__, metrics
from ocr_service.admission import Admission
from ocr_service.documents import Engine, EngineState, VlmState
from ocr_service.gpus import Gpu
from ocr_service.metrics import REGISTRY, StateGauge
from ocr_service.pipeline import Pipeline
from ocr_service.storing import Storing


class Scrape:
    """All that one look shows: what was counted, and the service's state at that moment."""

    def __init__(
        self, pipeline: Pipeline, admission: Admission, storing: Storing, gpus: Sequence[Gpu]
    ) -> None:
        # Read now: it is encoded in another thread.
        self._state = [
            *_of_engine(pipeline.engine),
            *_of_work(admission),
            metrics.cache_memory.of(pipeline.cached_bytes),
            *_of_storing(storing),
            *_of_gpus(gpus),
        ]

    def collect(self) -> Iterable[Metric]:
        """Yield it, as an encoder wants it."""
        yield from REGISTRY.collect()
        yield from self._state


def _of_engine(engine: Engine) -> Iterator[Metric]:
    what = (__version__, engine.name, engine.version or "", platform.python_version())
    yield metrics.build_info.each({what: 1})
    yield metrics.engine_state.one_of(EngineState, engine.state)
    state = engine.vlm.state
    yield metrics.vlm_up.of(None if state is VlmState.DISABLED else float(state is VlmState.READY))
    yield metrics.vlm_state.one_of(VlmState, state)


def _of_work(admission: Admission) -> Iterator[Metric]:
    places, bounds = admission.places, admission.bounds
    yield metrics.requests_in_flight.of(admission.visits)
    yield metrics.requests_waiting.of(admission.waiting)
    yield metrics.requests_waiting_limit.of(bounds.waiting)
    yield metrics.requests_refused.each(admission.refused)
    yield metrics.pages_ahead.of(admission.pages_ahead)
    yield metrics.pages_in_flight.of(places.pages_taken)
    yield metrics.pages_limit.of(places.pages)
    yield metrics.pixels_in_flight.of(places.pixels_taken)
    yield metrics.pixels_limit.of(places.pixels)
    yield metrics.documents_held.of(admission.document_bytes)
    yield metrics.documents_limit.of(bounds.document_bytes)


def _of_storing(storing: Storing) -> Iterator[Metric]:
    known = storing.storage is not None and storing.tried
    yield metrics.storage_up.of(float(storing.trouble is None) if known else None)
    spool = storing.spool
    yield metrics.spool_documents.of(spool.depth.documents if spool else None)
    yield metrics.spool_bytes.of(spool.depth.size if spool else None)
    yield metrics.spool_limit.of(spool.max_bytes if spool else None)


def _of_gpus(gpus: Sequence[Gpu]) -> Iterator[Metric]:
    def shown(gauge: StateGauge, values: Iterable[float | None]) -> Metric:
        told = zip(gpus, values, strict=True)
        return gauge.each({(str(gpu.index),): value for gpu, value in told if value is not None})

    yield shown(metrics.gpu_utilization, (gpu.utilization for gpu in gpus))
    yield shown(metrics.gpu_memory_used, (gpu.memory_used for gpu in gpus))
    yield shown(metrics.gpu_memory_size, (gpu.memory_size for gpu in gpus))
