"""Health checks and version: `/health` and `/version`."""

import time
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from fastapi import Request, Response
from pydantic import Field

from ocr_service import __version__
from ocr_service.api import openapi
from ocr_service.api.answers.document import EngineAnswer
from ocr_service.api.answers.model import Answer
from ocr_service.api.answers.recent_pages import EXAMPLE_RECENT_PAGES, RecentPagesHealth
from ocr_service.api.service import Service, service_of
from ocr_service.core.engine import EngineState, VlmState, VlmStatus
from ocr_service.core.errors import StorageOutage
from ocr_service.core.storage import StorageKind
from ocr_service.engines import PADDLEOCR_VL
from ocr_service.storage.result_store import ResultStore

router = openapi.router(openapi.SERVICE)


class SpoolHealth(Answer):
    """The spool: documents that wait for the object storage."""

    documents: int = Field(description="Number of documents in the spool.", examples=[0])
    bytes: int = Field(description="Size of these documents in bytes.", examples=[0])
    max_bytes: int = Field(description="Maximum size of the spool in bytes.", examples=[1073741824])
    error: str | None = Field(description="Error of the disk of the spool, or null.", examples=[None])


class StorageHealth(Answer):
    """State of the storage, from its last use."""

    kind: StorageKind | None = Field(
        description="`s3`, `local` for the folder `OCR_OUTPUT_DIR`, or null if there is no storage.",
        examples=["s3"],
    )
    state: Literal["ready", "unknown", "unavailable", "refused", "disabled"] = Field(
        description="`unknown` before the first use; `unavailable` during an outage; `refused` if an "
        "operator must fix a problem, such as a wrong key or bucket; `disabled` if there is no storage.",
        examples=["ready"],
    )
    error: str | None = Field(
        description="Error of the storage, or null.", examples=["The object storage cannot be reached."]
    )
    missing: list[str] = Field(
        description="Missing settings, if the object storage is only partly configured.", examples=[[]]
    )
    spool: SpoolHealth | None = Field(
        description="The spool, or null if there is none.",
        examples=[{"documents": 0, "bytes": 0, "max_bytes": 1073741824, "error": None}],
    )

    @classmethod
    def of(cls, store: ResultStore, missing: Sequence[str]) -> "StorageHealth":
        """Make the answer."""
        storage, error = store.storage, store.error
        return cls(
            kind=storage.kind if storage else None,
            state=_storage_state(store),
            error=error.detail if error else None,
            missing=list(missing),
            spool=_spool_health(store),
        )


def _storage_state(
    store: ResultStore,
) -> Literal["ready", "unknown", "unavailable", "refused", "disabled"]:
    if store.storage is None:
        return "disabled"
    if not store.checked:
        return "unknown"
    if store.error is None:
        return "ready"
    return "unavailable" if isinstance(store.error, StorageOutage) else "refused"


def _spool_health(store: ResultStore) -> SpoolHealth | None:
    spool, error = store.spool, store.spool_error
    if spool is None:
        return None
    return SpoolHealth(
        documents=spool.depth.documents,
        bytes=spool.depth.size,
        max_bytes=spool.max_bytes,
        error=error.detail if error else None,
    )


class Health(Answer):
    """State of the service. The status is 200 as long as the process can answer."""

    status: Literal["healthy"] = Field(description="Always `healthy`.", examples=["healthy"])
    paddleocr: EngineState = Field(
        description="State of PaddleOCR-VL; `not_initialized` if the service uses another engine.",
        examples=["ready"],
    )
    vllm: VlmState = Field(
        description="State of the vLLM server, at most a few seconds old; `disabled` if the engine does not "
        "use one.",
        examples=["ready"],
    )
    s3_storage: Literal["configured", "not_configured"] = Field(
        description="Whether all settings of the object storage are present.",
        examples=["not_configured"],
    )
    storage: StorageHealth = Field(
        description="State of the storage for results.",
        examples=[{"kind": None, "state": "disabled", "error": None, "missing": [], "spool": None}],
    )
    recent_pages: RecentPagesHealth = Field(
        description="The quality of the last pages.", examples=[EXAMPLE_RECENT_PAGES]
    )
    engine: str = Field(description="The engine that reads the pages.", examples=["tesseract"])
    engine_state: EngineState = Field(description="State of the engine.", examples=["ready"])
    engine_version: str | None = Field(
        description="Version of the engine, or null before its start.", examples=["5.5.4"]
    )
    version: str = Field(description="Version of the service.", examples=["1.0.0"])
    uptime_seconds: float = Field(description="Seconds since the start of the service.", examples=[86400.5])


class Liveness(Answer):
    """Liveness: whether the process must be restarted."""

    status: Literal["alive", "failing"] = Field(description="`failing` with status 503.", examples=["alive"])
    reasons: list[str] = Field(description="Reasons, if it is failing.", examples=[[]])


class Readiness(Answer):
    """Readiness: whether the service can take requests."""

    status: Literal["ready", "not_ready"] = Field(
        description="`not_ready` with status 503.", examples=["ready"]
    )
    reasons: list[str] = Field(description="Reasons, if it is not ready.", examples=[[]])


class VlmServerHealth(Answer):
    """State of one vLLM server, from its last check."""

    status: VlmState = Field(description="State of the server.", examples=["ready"])
    url: str | None = Field(
        description="URL of the server, without credentials.", examples=["http://127.0.0.1:8080/v1"]
    )
    model: str | None = Field(
        description="Name of the model on the server.", examples=["PaddleOCR-VL-1.6-0.9B"]
    )
    latency_ms: float | None = Field(
        description="Duration of the last health check in milliseconds; null if none was answered.",
        examples=[1.7],
    )
    error: str | None = Field(description="Last error, or null.", examples=["Connection refused"])

    @classmethod
    def of(cls, vlm: VlmStatus) -> "VlmServerHealth":
        """Make the answer."""
        return cls(**_health_of(vlm))


class VlmHealth(VlmServerHealth):
    """State of the vLLM server; of several, the state of the first one in the best state."""

    servers: list[VlmServerHealth] = Field(
        description="All servers, in the order of `OCR_VLM_URL`.",
        examples=[[]],
    )

    @classmethod
    def of(cls, vlm: VlmStatus) -> "VlmHealth":
        """Make the answer."""
        return cls(**_health_of(vlm), servers=[VlmServerHealth.of(server) for server in vlm.servers])


def _health_of(vlm: VlmStatus) -> dict[str, Any]:
    latency = None if vlm.latency is None else round(vlm.latency * 1000, 1)
    return {
        "status": vlm.state,
        "url": vlm.url,
        "model": vlm.model,
        "latency_ms": latency,
        "error": vlm.error,
    }


class Version(Answer):
    """Versions of the service and its engine."""

    version: str = Field(description="Version of the service.", examples=["1.0.0"])
    engine: EngineAnswer = Field(
        description="The engine that reads the pages; its version is null before its start.",
        examples=[{"name": "tesseract", "version": "5.5.4"}],
    )


@router.head("/health", include_in_schema=False)
@router.get("/health", summary="State of the service")
async def get_health(request: Request) -> Health:
    """Answer at once with status 200, even while a model loads or all slots are busy."""
    service = service_of(request)
    engine = service.pipeline.engine
    is_paddle = engine.name == PADDLEOCR_VL
    return Health(
        status="healthy",
        paddleocr=engine.state if is_paddle else EngineState.NOT_INITIALIZED,
        vllm=engine.vlm.state,
        s3_storage="configured" if service.s3_configured else "not_configured",
        storage=StorageHealth.of(service.result_store, service.s3_missing),
        recent_pages=RecentPagesHealth.of(service.pipeline.recent.pages),
        engine=engine.name,
        engine_state=engine.state,
        engine_version=engine.version,
        version=__version__,
        uptime_seconds=round(time.monotonic() - service.started_at, 1),
    )


@router.get("/health/live", summary="Liveness", responses={503: {"model": Liveness}})
async def get_liveness(request: Request, response: Response) -> Liveness:
    """Answer with 503 if a background task has failed, or if the event loop was blocked for too long."""
    service = service_of(request)
    reasons = [f"{name} has failed" for name in service.background.failed]
    if seconds := service.watchdog.recent_stall:
        reasons.append(f"the event loop was blocked for {seconds:.0f} s")
    if reasons:
        response.status_code = 503
    return Liveness(status="failing" if reasons else "alive", reasons=reasons)


@router.get("/health/ready", summary="Readiness", responses={503: {"model": Readiness}})
async def get_readiness(request: Request, response: Response) -> Readiness:
    """Answer with 503 while the service stops, or if the engine or its vLLM server is not ready.

    A full backlog does not count.
    """
    reasons = list(_not_ready_reasons(service_of(request)))
    if reasons:
        response.status_code = 503
    return Readiness(status="not_ready" if reasons else "ready", reasons=reasons)


def _not_ready_reasons(service: Service) -> Iterator[str]:
    engine = service.pipeline.engine
    if service.admission.draining:
        yield "the service is stopping"
    if engine.state is EngineState.UNAVAILABLE:
        yield f"{engine.title} could not be started (see the log); the service retries"
    elif service.starts_early and engine.state is not EngineState.READY:
        yield f"{engine.title} is starting"
    if engine.vlm.state is VlmState.STARTING:
        yield "the vLLM server is starting"
    elif engine.vlm.state is VlmState.UNAVAILABLE:
        yield f"the vLLM server is not available: {engine.vlm.error}"


@router.get("/health/vllm", summary="State of the vLLM server", responses={503: {"model": VlmHealth}})
async def get_vllm_health(request: Request, response: Response) -> VlmHealth:
    """Answer with 200 if the vLLM server is ready, else with 503. It is checked in the background."""
    vlm = service_of(request).pipeline.engine.vlm
    if vlm.state is not VlmState.READY:
        response.status_code = 503
    return VlmHealth.of(vlm)


@router.get("/version", summary="Versions of the service and its engine")
async def get_version(request: Request) -> Version:
    """Return the versions of the service and its engine."""
    return Version(version=__version__, engine=EngineAnswer.of(service_of(request).pipeline.engine))
