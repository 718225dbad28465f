"""Is it alive, what is it: `/health` and `/version`."""

import time
from collections.abc import Iterator, Sequence
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field

from ocr_service import __version__
from ocr_service.api import openapi
from ocr_service.api.answers.document import Answer, EngineAnswer
from ocr_service.api.service import Service, service_of
from ocr_service.core.engine import EngineState, VlmState, VlmStatus
from ocr_service.core.errors import StorageOutage
from ocr_service.core.storage import StorageKind
from ocr_service.engines import PADDLEOCR_VL
from ocr_service.storage.result_store import ResultStore

router = APIRouter(tags=[openapi.SERVICE])


class SpoolHealth(Answer):
    """What waits for the object storage."""

    documents: int = Field(description="How many documents wait.", examples=[0])
    bytes: int = Field(description="How many bytes they have.", examples=[0])
    max_bytes: int = Field(description="How many may wait.", examples=[1073741824])
    error: str | None = Field(description="What is wrong with their disk, or null.", examples=[None])


class StorageHealth(Answer):
    """Where results stay, as last seen."""

    kind: StorageKind | None = Field(
        description="`s3`, `local` for the folder `OCR_OUTPUT_DIR`, or null where nothing is stored.",
        examples=["s3"],
    )
    state: Literal["ready", "unknown", "unavailable", "refused", "disabled"] = Field(
        description="`unknown` before it was first tried; `unavailable` while it is away; `refused` where "
        "somebody must mend something, such as the key or the bucket; `disabled` where nothing is stored.",
        examples=["ready"],
    )
    error: str | None = Field(
        description="What is wrong, or null.", examples=["The object storage cannot be reached."]
    )
    missing: list[str] = Field(
        description="Settings of the object storage that are missing while others are there.", examples=[[]]
    )
    spool: SpoolHealth | None = Field(
        description="What waits for the object storage; null where nothing can.",
        examples=[{"documents": 0, "bytes": 0, "max_bytes": 1073741824, "error": None}],
    )

    @classmethod
    def of(cls, store: ResultStore, missing: Sequence[str]) -> "StorageHealth":
        """Make the answer of what is known."""
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
    """Answered at once and always with 200 while the process can serve, whatever the engine does."""

    status: Literal["healthy"] = Field(description="The process serves.", examples=["healthy"])
    paddleocr: EngineState = Field(
        description="Where PaddleOCR-VL stands; `not_initialized` also where another engine is used.",
        examples=["ready"],
    )
    vllm: VlmState = Field(
        description="Where the vLLM server stands, as seen within the last seconds; `disabled` where the "
        "engine needs none.",
        examples=["ready"],
    )
    s3_storage: Literal["configured", "not_configured"] = Field(
        description="Whether all settings of the object storage are there.",
        examples=["not_configured"],
    )
    storage: StorageHealth = Field(
        description="Where results stay.",
        examples=[{"kind": None, "state": "disabled", "error": None, "missing": [], "spool": None}],
    )
    engine: str = Field(description="The engine that reads the pages.", examples=["tesseract"])
    engine_state: EngineState = Field(description="Where that engine stands.", examples=["ready"])
    engine_version: str | None = Field(
        description="Its version, null before it has started.", examples=["5.5.4"]
    )
    version: str = Field(description="The service's version.", examples=["1.0.0"])
    uptime_seconds: float = Field(description="Seconds since it started.", examples=[86400.5])


class Liveness(Answer):
    """Whether the process must be started again."""

    status: Literal["alive", "failing"] = Field(description="`failing` goes with 503.", examples=["alive"])
    reasons: list[str] = Field(description="What is wrong.", examples=[[]])


class Readiness(Answer):
    """Whether requests should come here."""

    status: Literal["ready", "not_ready"] = Field(
        description="`not_ready` goes with 503.", examples=["ready"]
    )
    reasons: list[str] = Field(description="Why not.", examples=[[]])


class VlmHealth(Answer):
    """The vLLM server, as last seen."""

    status: VlmState = Field(description="Where it stands.", examples=["ready"])
    url: str | None = Field(
        description="Its address, without credentials.", examples=["http://127.0.0.1:8080/v1"]
    )
    model: str | None = Field(
        description="The name under which it serves the model.", examples=["PaddleOCR-VL-1.6-0.9B"]
    )
    latency_ms: float | None = Field(
        description="Milliseconds that its last health check took; null where none was answered.",
        examples=[1.7],
    )
    error: str | None = Field(description="What is wrong, or null.", examples=["Connection refused"])

    @classmethod
    def of(cls, vlm: VlmStatus) -> "VlmHealth":
        """Make the answer of what is known."""
        latency = None if vlm.latency is None else round(vlm.latency * 1000, 1)
        return cls(status=vlm.state, url=vlm.url, model=vlm.model, latency_ms=latency, error=vlm.error)


class Version(Answer):
    """What runs here."""

    version: str = Field(description="The service's version.", examples=["1.0.0"])
    engine: EngineAnswer = Field(
        description="The engine that reads the pages; its version is null before it has started.",
        examples=[{"name": "tesseract", "version": "5.5.4"}],
    )


@router.head("/health", include_in_schema=False)
@router.get("/health", summary="For the platform's probes")
async def get_health(request: Request) -> Health:
    """Never waits: neither for a model nor behind recognition."""
    service = service_of(request)
    engine = service.pipeline.engine
    is_paddle = engine.name == PADDLEOCR_VL
    return Health(
        status="healthy",
        paddleocr=engine.state if is_paddle else EngineState.NOT_INITIALIZED,
        vllm=engine.vlm.state,
        s3_storage="configured" if service.s3_configured else "not_configured",
        storage=StorageHealth.of(service.result_store, service.s3_missing),
        engine=engine.name,
        engine_state=engine.state,
        engine_version=engine.version,
        version=__version__,
        uptime_seconds=round(time.monotonic() - service.started_at, 1),
    )


@router.get("/health/live", summary="Must it be started again?", responses={503: {"model": Liveness}})
async def get_liveness(request: Request, response: Response) -> Liveness:
    """Fail where a task of the service's own has died, or the event loop has stood still for too long."""
    service = service_of(request)
    reasons = [f"{name} has died" for name in service.background.failed]
    if seconds := service.watchdog.recent_stall:
        reasons.append(f"the event loop stood still for {seconds:.0f} s")
    if reasons:
        response.status_code = 503
    return Liveness(status="failing" if reasons else "alive", reasons=reasons)


@router.get("/health/ready", summary="Should requests come here?", responses={503: {"model": Readiness}})
async def get_readiness(request: Request, response: Response) -> Readiness:
    """Fail while the service stops, or the engine or its vLLM server cannot read; not for a full queue."""
    reasons = list(_why_not_ready(service_of(request)))
    if reasons:
        response.status_code = 503
    return Readiness(status="not_ready" if reasons else "ready", reasons=reasons)


def _why_not_ready(service: Service) -> Iterator[str]:
    engine = service.pipeline.engine
    if service.admission.draining:
        yield "the service is stopping"
    if engine.state is EngineState.UNAVAILABLE:
        yield f"{engine.title} could not be started; it is tried again, and the log says why"
    elif service.starts_early and engine.state is not EngineState.READY:
        yield f"{engine.title} is being started"
    if engine.vlm.state is VlmState.STARTING:
        yield "the vLLM server is starting"
    elif engine.vlm.state is VlmState.UNAVAILABLE:
        yield f"the vLLM server is not available: {engine.vlm.error}"


@router.get("/health/vllm", summary="The vLLM server", responses={503: {"model": VlmHealth}})
async def get_vllm_health(request: Request, response: Response) -> VlmHealth:
    """Tell what is known of the vLLM server: 200 while it is ready, else 503. Checked in the background."""
    vlm = service_of(request).pipeline.engine.vlm
    if vlm.state is not VlmState.READY:
        response.status_code = 503
    return VlmHealth.of(vlm)


@router.get("/version", summary="What runs here")
async def get_version(request: Request) -> Version:
    """Name the service's version and its engine's."""
    return Version(version=__version__, engine=EngineAnswer.of(service_of(request).pipeline.engine))
