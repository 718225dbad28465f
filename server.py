"""The wiring: settings → engine, storage → pipeline → app. `uvicorn server:app` starts here."""

import asyncio
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from ocr_service import __version__
from ocr_service.admission.admission import ABORT_SECONDS, Admission, Bounds
from ocr_service.api import openapi
from ocr_service.api.answers.problems import answer_error
from ocr_service.api.middleware.api_keys import Access
from ocr_service.api.middleware.request_log import HEADER, RequestContext
from ocr_service.api.middleware.security_headers import SecurityHeaders
from ocr_service.api.paths import OpenPaths
from ocr_service.api.requests.body_stream import BodyLimits
from ocr_service.api.routes import documentation, health, layout_parsing, metrics, ocr
from ocr_service.api.service import Service
from ocr_service.config import ConfigurationError, EngineChoice, Settings, load_settings
from ocr_service.core.engine import Engine, EngineState
from ocr_service.core.errors import EngineUnavailable, LanguageNotInstalled, OcrError
from ocr_service.core.storage import Storage
from ocr_service.decoding import Limits
from ocr_service.engines import PADDLEOCR_VL
from ocr_service.engines.paddleocr_vl.presence import DEFAULT_VLM_URL, detect_backend, missing_parts
from ocr_service.engines.tesseract import TesseractEngine
from ocr_service.engines.tesseract.languages import check_installed, find_tessdata, languages_in
from ocr_service.pipeline.cache import ResultCache
from ocr_service.pipeline.pipeline import Pipeline
from ocr_service.runtime import connections
from ocr_service.runtime.background import BackgroundTasks
from ocr_service.runtime.connections import ConnectionLimits
from ocr_service.runtime.listen_address import greeting, listen_address
from ocr_service.runtime.memory import configure_malloc, trim_when_idle
from ocr_service.runtime.signals import run_before_stop
from ocr_service.runtime.watchdog import Watchdog
from ocr_service.sources.checked_network import Rules
from ocr_service.sources.fetching import Fetcher
from ocr_service.sources.source import Sources
from ocr_service.storage.local import LocalStorage
from ocr_service.storage.result_store import ResultStore
from ocr_service.storage.spool import Spool
from ocr_service.telemetry import tracing
from ocr_service.telemetry.gpus import Gpus
from ocr_service.telemetry.logs import configure_logging, log_format
from s3_storage import S3Settings, S3Storage

log = logging.getLogger("ocr_service")

# An engine that could not be started is tried again as often as this, in seconds.
_REVIVED_EVERY = 30.0

_HOW_TO_ADD_PADDLEOCR_VL = "`make run-gpu` installs PaddleOCR-VL and vLLM, and serves with them"

_ABOUT: dict[str, Any] = {
    "title": "OCR service",
    "description": "Documents in, Markdown, text and blocks out. Start with `POST /ocr`.",
    "version": __version__,
    "openapi_tags": openapi.TAGS,
    "generate_unique_id_function": openapi.operation_id,
    # Its own would hold queries, and errors' words; `tracing` and `metrics` do without.
    "telemetry": dict.fromkeys(("tracing", "metrics", "logs", "operation_spans", "auto_configure"), False),
}
# What pages of other origins may read of an answer, beside what any page may.
_EXPOSED_HEADERS = (HEADER, openapi.STORAGE_STATUS, openapi.STORAGE_FOLDER, "ETag", "Retry-After")


def choose_engine(settings: Settings) -> Engine:
    """Return the engine that the settings and the machine ask for; the log says which and why.

    Raises ConfigurationError if Tesseract is to read a language that is not installed.
    """
    name, reason = _choice(settings)
    # A warning if somebody named a server and it is not used.
    unused = settings.ocr_engine is EngineChoice.AUTO and settings.ocr_vlm_url and name != PADDLEOCR_VL
    log.log(logging.WARNING if unused else logging.INFO, "engine: %s (%s)", name, reason)
    return _paddleocr_vl(settings) if name == PADDLEOCR_VL else _tesseract(settings)


def _choice(settings: Settings) -> tuple[str, str]:
    """Return an engine's name, and why it is that one: `auto` means one that can work here."""
    if settings.ocr_engine is not EngineChoice.AUTO:
        return settings.ocr_engine, f"OCR_ENGINE={settings.ocr_engine}"
    backend = detect_backend(settings.ocr_vlm_url)
    if backend is None:
        return TesseractEngine.name, "no GPU and no vLLM server is here"
    missing = missing_parts(settings.ocr_vlm_url, settings.ocr_layout_engine, settings.ocr_vlm_not_started)
    if not missing:
        return PADDLEOCR_VL, backend
    return TesseractEngine.name, f"{backend}, but {'; '.join(missing)}; {_HOW_TO_ADD_PADDLEOCR_VL}"


def _tesseract(settings: Settings) -> Engine:
    try:
        tessdata = settings.ocr_tessdata_dir or find_tessdata()
        check_installed(settings.ocr_lang, languages_in(tessdata))
    except (EngineUnavailable, LanguageNotInstalled) as error:
        raise ConfigurationError(f"OCR_LANG: {error}") from None
    return TesseractEngine(
        settings.ocr_lang, settings.ocr_tesseract_threads, tessdata, settings.ocr_request_timeout
    )


def _paddleocr_vl(settings: Settings) -> Engine:
    # Not at the top: its HTTP client takes a fifth of a second to import, which no other engine needs.
    from ocr_engine import PaddleOcrVlEngine
    from ocr_service.engines.paddleocr_vl.settings import PaddleOcrVlSettings

    key = settings.ocr_vlm_api_key
    return PaddleOcrVlEngine(
        PaddleOcrVlSettings(
            pipeline_version=settings.ocr_pipeline_version,
            layout_engine=settings.ocr_layout_engine,
            device=settings.ocr_device,
            use_doc_orientation_classify=settings.ocr_use_doc_orientation_classify,
            use_doc_unwarping=settings.ocr_use_doc_unwarping,
            vlm_url=settings.ocr_vlm_url or DEFAULT_VLM_URL,
            vlm_not_started=None if settings.ocr_vlm_url else settings.ocr_vlm_not_started,
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


def _result_store(settings: Settings, storage: Storage | None) -> ResultStore:
    spool = None
    if storage is not None and storage.kind == "s3" and settings.ocr_output_dir is not None:
        spool = Spool(settings.ocr_output_dir / "spool", settings.ocr_spool_max_mb * 2**20)
    return ResultStore(storage, spool, settings.ocr_store_timeout)


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
    app = _app_with_docs() if settings.ocr_docs else _app_without_docs()
    admission = Admission(_bounds(settings, engine))
    pipeline = Pipeline(
        engine,
        Limits(settings.ocr_max_page_megapixels * 1_000_000, engine.max_page_side),
        admission,
        max_pages=settings.ocr_max_pages,
        pdf_dpi=settings.ocr_pdf_dpi,
        cache=_cache(settings, storage),
    )
    max_bytes = settings.ocr_max_upload_mb * 2**20
    app.state.service = Service(
        pipeline,
        admission,
        _result_store(settings, storage),
        Sources(
            Fetcher(_fetching_rules(settings, max_bytes)), storage if settings.ocr_url_s3 else None, max_bytes
        ),
        Gpus(),
        BackgroundTasks(),
        Watchdog(settings.ocr_stall_timeout),
        body_limits=BodyLimits(max_bytes, settings.ocr_upload_idle_timeout, settings.ocr_upload_min_rate),
        s3_configured=settings.s3_configured,
        s3_missing=settings.s3_missing,
        preload=settings.ocr_preload,
        drain_seconds=settings.ocr_drain_timeout,
        started_at=time.monotonic(),
    )
    app.state.connection_limits = ConnectionLimits(
        settings.ocr_header_timeout, settings.ocr_answer_idle_timeout, settings.ocr_upload_idle_timeout
    )
    app.state.greeting = partial(greeting, page=settings.ocr_docs, key=bool(settings.api_keys))
    app.state.error_bodies = layout_parsing.ERROR_BODIES
    app.include_router(ocr.router)
    app.include_router(layout_parsing.router)
    app.include_router(health.router)
    app.include_router(metrics.router)
    for router in (ocr.router, layout_parsing.router):
        metrics.expect(router, engine)
    for kind in (OcrError, HTTPException):
        app.add_exception_handler(kind, answer_error)
    _guard(app, settings)
    return app


def _guard(app: FastAPI, settings: Settings) -> None:
    """Put around the routes what every request passes, from the innermost to the outermost."""
    keys = settings.api_keys
    open_paths = OpenPaths(settings.ocr_docs, settings.ocr_metrics_public) if keys else None
    openapi.complete(app, open_paths)
    if open_paths is not None:
        app.add_middleware(Access, keys=keys, open_paths=open_paths)
    app.add_middleware(RequestContext)
    # Around what answers faults, so that a page may read those, too; a browser's question whether it may ask
    # ends there, without a key and without a line in the log.
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST"),
            allow_headers=("*",),
            expose_headers=_EXPOSED_HEADERS,
        )
    app.add_middleware(SecurityHeaders)


def _bounds(settings: Settings, engine: Engine) -> Bounds:
    return Bounds(
        pages=min(settings.ocr_max_pages_in_flight or engine.max_pages_in_flight, engine.max_pages_in_flight),
        pixels=settings.ocr_max_megapixels_in_flight * 1_000_000,
        document_bytes=settings.ocr_max_documents_mb * 2**20,
        waiting=settings.ocr_max_waiting,
        seconds=settings.ocr_request_timeout,
    )


def _app_with_docs() -> FastAPI:
    app = FastAPIOffline(docs_url=None, redoc_url=None, lifespan=_lifespan, **_ABOUT)
    app.include_router(documentation.router)
    return app


def _app_without_docs() -> FastAPI:
    return FastAPI(openapi_url=None, docs_url=None, redoc_url=None, lifespan=_lifespan, **_ABOUT)


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
async def _lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    service: Service = app.state.service
    cache, result_store, engine = service.pipeline.cache, service.result_store, service.pipeline.engine
    for name, work in {
        "event loop watchdog": service.watchdog.run(),
        "the watch over the engine": engine.watch(),
        "memory trimming": trim_when_idle(service.admission.slots),
        "the watch over the storage": result_store.watch(),
    }.items():
        service.background.start(name, work)
    if cache is not None:
        service.background.start("cache cleanup", cache.run_cleanup())
    try:
        with run_before_stop(partial(_drain, service)), listen_address() as address:
            service.background.start("the engine's start", _start(service, address, app.state.greeting))
            yield {connections.STATE_KEY: app.state.connection_limits}
    finally:
        await service.background.stop()
        if cache is not None:
            await cache.close()
        await result_store.close()
        service.sources.close()
        await engine.close()
        await tracing.disable()


async def _start(service: Service, address: "asyncio.Future[str]", greeting: Callable[[str], str]) -> None:
    """Start a light engine beside the service, and any one again that could not be started.

    A heavy one waits for the first request, unless told not to. The greeting is the last line of the start.
    """
    engine = service.pipeline.engine
    if service.starts_early:
        # A failure is in the log and in /health.
        with suppress(EngineUnavailable):
            await engine.start()
    else:
        log.info("%s initialization deferred to the first request", engine.title)
    address.add_done_callback(lambda known: log.info("%s", greeting(known.result())))
    while True:
        await asyncio.sleep(_REVIVED_EVERY)
        # No request may come to try it again where callers are kept away while it is not ready.
        if engine.state is EngineState.UNAVAILABLE:
            with suppress(EngineUnavailable):
                await engine.start()


async def _drain(service: Service) -> None:
    """Let what is under way come to its end, and nothing else begin."""
    log.info("stopping: %d requests are finished first", service.admission.visits)
    try:
        async with asyncio.timeout(service.drain_seconds + ABORT_SECONDS):
            await service.admission.drain(service.drain_seconds)
            await service.result_store.flush()
    except TimeoutError:
        log.warning("the spool could not be emptied in time; what waits in it stays there")


def _app_from_environment() -> FastAPI:
    configure_logging("info", log_format(os.environ))
    try:
        settings = load_settings()
        configure_malloc()
        configure_logging(settings.ocr_log_level, settings.ocr_log_format)
        engine = choose_engine(settings)
    except ConfigurationError as error:
        log.critical("The service cannot start: %s", error)
        sys.exit(1)
    tracing.enable(os.environ)
    if not settings.api_keys:
        log.info("OCR_API_KEYS is not set: everybody who reaches the port may use the service")
    return create_app(settings, engine, choose_storage(settings))


def __getattr__(name: str) -> Any:
    # `app` is made when uvicorn asks for it, so that importing this module reads no environment.
    if name != "app":
        raise AttributeError(name)
    app = globals()["app"] = _app_from_environment()
    return app
