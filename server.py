"""The wiring: settings → engine, storage → pipeline → app. `uvicorn server:app` starts here."""

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException

from ocr_service import __version__
from ocr_service.cache import ResultCache
from ocr_service.config import ConfigurationError, Settings, load_settings
from ocr_service.decoding import Limits
from ocr_service.documents import Engine, Storage
from ocr_service.errors import EngineUnavailable, OcrError
from ocr_service.fetching import Fetcher, Rules
from ocr_service.local_storage import LocalStorage
from ocr_service.logs import configure_logging
from ocr_service.memory import give_back, keep_for_reuse
from ocr_service.paddleocr_vl.presence import DEFAULT_VLM_URL, found_here
from ocr_service.pipeline import Pipeline
from ocr_service.routes import health, ocr, openapi
from ocr_service.routes.health import PADDLEOCR_VL
from ocr_service.routes.middleware import RequestContext
from ocr_service.routes.problems import answer_error
from ocr_service.routes.service import Service
from ocr_service.spool import Spool
from ocr_service.storing import Storing
from ocr_service.tesseract import TesseractEngine
from s3_storage import S3Settings, S3Storage

log = logging.getLogger("ocr_service")

_DESCRIPTION = "Documents in, Markdown, text and blocks out. Start with `POST /ocr`."


def choose_engine(settings: Settings) -> Engine:
    """Return the engine that the settings and the machine ask for; the log says which and why."""
    reason = f"OCR_ENGINE={settings.ocr_engine}"
    chosen: str = settings.ocr_engine
    if chosen == "auto":
        found = found_here(settings.ocr_vlm_url)
        chosen = PADDLEOCR_VL if found else TesseractEngine.name
        reason = found or "no GPU and no vLLM server is here"
    log.info("engine: %s (%s)", chosen, reason)
    if chosen == PADDLEOCR_VL:
        return _paddleocr_vl(settings)
    return TesseractEngine(settings.ocr_lang, settings.ocr_tesseract_threads, settings.ocr_tessdata_dir)


def _paddleocr_vl(settings: Settings) -> Engine:
    # Not at the top: its HTTP client takes a fifth of a second to import, which no other engine needs.
    from ocr_engine import PaddleOcrVlEngine
    from ocr_service.paddleocr_vl.building import PaddleOcrVlSettings

    key = settings.ocr_vlm_api_key
    return PaddleOcrVlEngine(
        PaddleOcrVlSettings(
            pipeline_version=settings.ocr_pipeline_version,
            layout_engine=settings.ocr_layout_engine,
            device=settings.ocr_device,
            use_doc_orientation_classify=settings.ocr_use_doc_orientation_classify,
            use_doc_unwarping=settings.ocr_use_doc_unwarping,
            vlm_url=settings.ocr_vlm_url or DEFAULT_VLM_URL,
            vlm_api_key=key.get_secret_value() if key else None,
            vlm_timeout=settings.ocr_vlm_timeout,
            vlm_max_concurrency=settings.ocr_vlm_max_concurrency,
            image_format=settings.ocr_vlm_image_format,
            jpeg_quality=settings.ocr_vlm_jpeg_quality,
        )
    )


def choose_storage(settings: Settings) -> Storage | None:
    """Return where results stay by the settings, None for nowhere; the log says which and why."""
    if settings.s3_missing:
        log.error("the object storage is not used: %s missing", ", ".join(settings.s3_missing))
    if settings.s3_configured:
        log.info("storage: bucket %s at %s", settings.cloudru_s3_bucket, settings.cloudru_s3_endpoint)
        return _s3_storage(settings)
    if settings.ocr_output_dir is not None:
        log.info("storage: the folder %s", settings.ocr_output_dir)
        return LocalStorage(settings.ocr_output_dir)
    log.info("storage: none, results are not kept")
    return None


def _s3_storage(settings: Settings) -> Storage:
    endpoint, bucket = settings.cloudru_s3_endpoint, settings.cloudru_s3_bucket
    access_key, secret_key = settings.cloudru_s3_access_key, settings.cloudru_s3_secret_key
    assert endpoint and bucket and access_key and secret_key
    return S3Storage(
        S3Settings(
            endpoint=endpoint,
            bucket=bucket,
            access_key=access_key.get_secret_value(),
            secret_key=secret_key.get_secret_value(),
            region=settings.cloudru_s3_region,
            prefix=settings.cloudru_s3_prefix,
            addressing_style=settings.cloudru_s3_addressing_style,
            url_lifetime=settings.cloudru_s3_url_lifetime,
        )
    )


def _storing(settings: Settings, storage: Storage | None) -> Storing:
    spool = None
    if storage is not None and storage.kind == "s3" and settings.ocr_output_dir is not None:
        spool = Spool(settings.ocr_output_dir / "spool", settings.ocr_spool_max_mb * 2**20)
    return Storing(storage, spool, settings.ocr_store_timeout)


def _cache(settings: Settings, storage: Storage | None) -> ResultCache | None:
    if not settings.ocr_cache_lifetime:
        return None
    return ResultCache(
        settings.ocr_cache_memory_mb * 2**20,
        storage if settings.ocr_cache_store else None,
        settings.ocr_cache_lifetime,
    )


def create_app(settings: Settings, engine: Engine, storage: Storage | None = None) -> FastAPI:
    """Put the rooms together around one engine, and the storage where results stay."""
    app = FastAPIOffline(
        title="OCR service",
        description=_DESCRIPTION,
        version=__version__,
        lifespan=_lifespan,
        redoc_url=None,
    )
    pipeline = Pipeline(
        engine,
        Limits(settings.ocr_max_page_megapixels * 1_000_000, engine.max_page_side),
        max_pages=settings.ocr_max_pages,
        pdf_dpi=settings.ocr_pdf_dpi,
        cache=_cache(settings, storage),
    )
    max_upload_bytes = settings.ocr_max_upload_mb * 2**20
    app.state.service = Service(
        pipeline,
        _storing(settings, storage),
        Fetcher(_fetching_rules(settings, max_upload_bytes)),
        reads_bucket=settings.ocr_url_s3,
        max_upload_bytes=max_upload_bytes,
        s3_configured=settings.s3_configured,
        s3_missing=settings.s3_missing,
        preload=settings.ocr_preload,
        started_at=time.monotonic(),
    )
    app.include_router(ocr.router)
    app.include_router(health.router)
    app.add_middleware(RequestContext)
    for kind in (OcrError, HTTPException):
        app.add_exception_handler(kind, answer_error)
    openapi.complete(app)
    return app


def _fetching_rules(settings: Settings, max_bytes: int) -> Rules:
    return Rules(
        max_bytes=max_bytes,
        allowlist=settings.url_allowlist,
        ports=settings.url_ports,
        credentials=settings.ocr_url_credentials,
        connect_seconds=settings.ocr_url_connect_timeout,
        read_seconds=settings.ocr_url_read_timeout,
        total_seconds=settings.ocr_url_timeout,
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    pipeline: Pipeline = app.state.service.pipeline
    storing: Storing = app.state.service.storing
    engine = pipeline.engine
    beside = [
        asyncio.create_task(engine.watch()),
        asyncio.create_task(give_back(pipeline)),
        asyncio.create_task(storing.watch()),
        asyncio.create_task(pipeline.tend_cache()),
        asyncio.create_task(_start_early(engine, app.state.service.preload)),
    ]
    try:
        yield
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await pipeline.close()
        await storing.close()
        app.state.service.fetcher.close()
        await engine.close()


async def _start_early(engine: Engine, preload: bool) -> None:
    """Start a light engine beside the service; a heavy one waits for the first request, unless told."""
    if not (preload or engine.starts_early):
        log.info("%s initialization deferred to the first request", engine.title)
        return
    # A failure is in the log and in /health, and the first request tries again.
    with suppress(EngineUnavailable):
        await engine.start()


def _app_from_environment() -> FastAPI:
    try:
        settings = load_settings()
    except ConfigurationError as error:
        sys.exit(f"The service cannot start: {error}")
    keep_for_reuse()
    configure_logging(settings.ocr_log_level)
    return create_app(settings, choose_engine(settings), choose_storage(settings))


def __getattr__(name: str) -> Any:
    # `app` is made when uvicorn asks for it, so that importing this module reads no environment.
    if name != "app":
        raise AttributeError(name)
    app = globals()["app"] = _app_from_environment()
    return app
