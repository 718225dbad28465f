"""The wiring: settings → engine → pipeline → app. `uvicorn server:app` starts here."""

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
from ocr_service.config import ConfigurationError, Settings, load_settings
from ocr_service.decoding import Limits
from ocr_service.documents import Engine
from ocr_service.errors import EngineUnavailable, OcrError
from ocr_service.logs import configure_logging
from ocr_service.memory import give_back, keep_for_reuse
from ocr_service.paddleocr_vl.presence import DEFAULT_VLM_URL, found_here
from ocr_service.pipeline import Pipeline
from ocr_service.routes import health, ocr, openapi
from ocr_service.routes.health import PADDLEOCR_VL
from ocr_service.routes.middleware import RequestContext
from ocr_service.routes.problems import answer_error
from ocr_service.routes.service import Service
from ocr_service.tesseract import TesseractEngine

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


def create_app(settings: Settings, engine: Engine) -> FastAPI:
    """Put the rooms together around one engine."""
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
    )
    app.state.service = Service(
        pipeline,
        max_upload_bytes=settings.ocr_max_upload_mb * 2**20,
        s3_configured=settings.s3_configured,
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


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    pipeline: Pipeline = app.state.service.pipeline
    engine = pipeline.engine
    beside = [
        asyncio.create_task(engine.watch()),
        asyncio.create_task(give_back(pipeline)),
        asyncio.create_task(_start_early(engine, app.state.service.preload)),
    ]
    try:
        yield
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
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
    if settings.s3_configured:
        log.warning("CLOUDRU_S3_* is set, but this release does not store results yet")
    return create_app(settings, choose_engine(settings))


def __getattr__(name: str) -> Any:
    # `app` is made when uvicorn asks for it, so that importing this module reads no environment.
    if name != "app":
        raise AttributeError(name)
    app = globals()["app"] = _app_from_environment()
    return app
