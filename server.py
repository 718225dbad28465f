"""The wiring: settings → engine, storage → pipeline → app. `uvicorn server:app` starts here."""

import gc
import logging
import os
import sys
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from fastapi import FastAPI

from ocr_service.admission.admission import Admission
from ocr_service.api.app import new_app
from ocr_service.api.job_faces import wanted_by
from ocr_service.api.job_parts import Callbacks, ResultStoring
from ocr_service.api.requests.intake import RATE_PER_CORE, Intake
from ocr_service.api.requests.upload_disk import UploadDisk
from ocr_service.api.service import Service
from ocr_service.config import ConfigurationError, Settings, load_settings
from ocr_service.core.engine import Engine
from ocr_service.core.errors import EngineUnavailable, LanguageNotInstalled
from ocr_service.core.settings import without_credentials
from ocr_service.core.slots import Slots
from ocr_service.core.storage import Storage
from ocr_service.decoding.limits import Limits
from ocr_service.engines import PADDLEOCR_VL
from ocr_service.engines.choice import choose
from ocr_service.engines.tesseract.engine import TesseractEngine
from ocr_service.engines.tesseract.languages import check_installed, find_tessdata, languages_in
from ocr_service.jobs.attempt import ServiceParts
from ocr_service.jobs.jobs import Jobs
from ocr_service.jobs.places import Places
from ocr_service.pipeline.cache import ResultCache
from ocr_service.pipeline.pipeline import Pipeline
from ocr_service.runtime.background import BackgroundTasks
from ocr_service.runtime.connections import ConnectionLimits
from ocr_service.runtime.cores import usable_cores
from ocr_service.runtime.listen_address import greeting
from ocr_service.runtime.memory import configure_malloc
from ocr_service.runtime.open_connections import OpenConnections
from ocr_service.runtime.open_files import connections_within_open_files, raise_open_files
from ocr_service.runtime.threads import Workers
from ocr_service.runtime.watchdog import Watchdog
from ocr_service.sources.fetching import Fetcher
from ocr_service.sources.source import Sources
from ocr_service.storage.local import LocalStorage
from ocr_service.storage.old_results import delete_old_results
from ocr_service.storage.result_store import ResultStore
from ocr_service.storage.spool import Spool
from ocr_service.telemetry import tracing
from ocr_service.telemetry.gpus import Gpus
from ocr_service.telemetry.logs import configure_logging, log_format
from s3_storage import S3Storage

log = logging.getLogger("ocr_service")

# Time after which a busy thread lets the event loop run. A request waits for it several times beside a large
# JSON, which with the 5 ms of Python is long.
_SWITCH_SECONDS = 0.0002


def choose_engine(settings: Settings) -> Engine:
    """Return the engine for these settings and this machine; the log names it and the reason.

    Raises ConfigurationError if the default language of Tesseract is not installed.
    """
    choice = choose(settings.engine, settings.paddleocr_vl, settings.vlm)
    level = logging.WARNING if choice.vlm_unused else logging.INFO
    log.log(level, "engine: %s (%s)", choice.name, choice.reason)
    return _paddleocr_vl(settings) if choice.name == PADDLEOCR_VL else _tesseract(settings)


def _tesseract(settings: Settings) -> Engine:
    tesseract = settings.tesseract
    try:
        check_installed(tesseract.lang, languages_in(tesseract.tessdata_dir or find_tessdata()))
    except EngineUnavailable as error:
        raise ConfigurationError(f"OCR_TESSDATA_DIR: {error}") from None
    except LanguageNotInstalled as error:
        raise ConfigurationError(f"OCR_LANG: {error}") from None
    return TesseractEngine(tesseract, settings.admission.request_timeout)


def _paddleocr_vl(settings: Settings) -> Engine:
    # Imported here, because its HTTP client takes 0.2 s to import and no other engine needs it.
    from ocr_engine import PaddleOcrVlEngine

    return PaddleOcrVlEngine(settings.paddleocr_vl, settings.vlm)


def choose_storage(settings: Settings) -> Storage | None:
    """Return the storage for results, None if there is none; the log names it."""
    s3, output_dir = settings.s3, settings.storage.output_dir
    if s3.missing:
        log.error("the object storage is not used: %s missing", ", ".join(s3.missing))
    if s3.configured:
        log.info("storage: bucket %s at %s", s3.bucket, without_credentials(s3.endpoint or ""))
        return S3Storage(s3)
    if output_dir is not None:
        log.info("storage: folder %s", output_dir)
        return LocalStorage(output_dir)
    log.info("storage: none, results are not stored")
    return None


def create_app(settings: Settings, engine: Engine, storage: Storage | None = None) -> FastAPI:
    """Build the app around one engine and the storage for results."""
    app = new_app(settings.access, engine)
    connections = _open_connections(settings)
    app.state.service = _service(settings, engine, storage, connections)
    app.state.connection_limits = ConnectionLimits(
        settings.connections, settings.uploads.idle_timeout, connections
    )
    app.state.greeting = partial(greeting, page=settings.access.docs, key=bool(settings.access.keys))
    return app


def _open_connections(settings: Settings) -> OpenConnections:
    count = connections_within_open_files(settings.connections.max_connections)
    return OpenConnections(count, settings.admission.unread_answer_bytes)


def _service(
    settings: Settings, engine: Engine, storage: Storage | None, connections: OpenConnections
) -> Service:
    uploads, documents = settings.uploads, settings.documents
    bounds = settings.admission.bounds(engine.max_pages_in_flight, engine.job_pages)
    admission = Admission(bounds, lambda: connections.unread)
    pipeline = Pipeline(
        engine,
        Limits(documents.max_page_pixels, engine.max_page_side),
        admission,
        max_pages=documents.max_pages,
        max_job_pages=settings.jobs.max_pages,
        pdf_dpi=documents.pdf_dpi,
        cache=_cache(settings, storage),
    )
    result_store = ResultStore(storage, _spool(settings, storage), settings.storage.store_timeout)
    fetcher = Fetcher(settings.urls, uploads.max_bytes)
    return Service(
        pipeline,
        admission,
        result_store,
        Sources(
            fetcher,
            storage if settings.urls.s3 else None,
            uploads.max_bytes,
        ),
        Jobs(
            settings.jobs,
            _places(settings, storage),
            ServiceParts(
                pipeline,
                admission,
                partial(wanted_by, engine=engine),
                Callbacks(fetcher, settings.jobs.callback_key),
                fetcher.check,
                ResultStoring(result_store, pipeline) if storage else None,
            ),
        ),
        Gpus(),
        BackgroundTasks(),
        Watchdog(settings.lifecycle.stall_timeout),
        connections,
        Workers(1, "large-bodies"),
        Workers(1, "long-answers"),
        Slots(1),
        UploadDisk(uploads.dir, uploads.disk_bytes),
        Intake(RATE_PER_CORE * usable_cores()),
        _tasks(settings, storage),
        uploads=uploads,
        s3_configured=settings.s3.configured,
        s3_missing=settings.s3.missing,
        preload=settings.engine.preload,
        drain_seconds=settings.lifecycle.drain_timeout,
        public_url=settings.access.public_url,
        started_at=time.monotonic(),
    )


def _places(settings: Settings, storage: Storage | None) -> Places:
    folder = settings.jobs.dir or settings.storage.output_dir
    return Places(folder, LocalStorage(folder) if folder else None, storage)


def _tasks(settings: Settings, storage: Storage | None) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
    folder, days = settings.storage.output_dir, settings.storage.output_keep
    if folder is None or days is None or storage is None or storage.kind != "local":
        return {}
    return {"old results": partial(delete_old_results, folder, days)}


def _cache(settings: Settings, storage: Storage | None) -> ResultCache | None:
    cache = settings.cache
    if not cache.lifetime:
        return None
    store = storage if cache.store else None
    return ResultCache(cache.memory_bytes, store, cache.lifetime, shared=cache.shared)


def _spool(settings: Settings, storage: Storage | None) -> Spool | None:
    folder = settings.storage.spool_dir
    if folder is None or storage is None or storage.kind != "s3":
        return None
    return Spool(folder, settings.storage.spool_max_bytes)


def _app_from_environment() -> FastAPI:
    configure_logging("info", log_format(os.environ))
    try:
        settings = load_settings()
        configure_malloc()
        sys.setswitchinterval(_SWITCH_SECONDS)
        configure_logging(settings.logs.level, settings.logs.format)
        raise_open_files()
        engine = choose_engine(settings)
    except ConfigurationError as error:
        log.critical("The service cannot start: %s", error)
        sys.exit(1)
    tracing.enable(os.environ)
    if not settings.access.keys:
        log.info("OCR_API_KEYS is not set: anybody who reaches the port may use the service")
    app = create_app(settings, engine, choose_storage(settings))
    # All this lives as long as the process. A search for cycles in it would stop the event loop for 50 ms.
    gc.freeze()
    return app


def __getattr__(name: str) -> Any:
    # uvicorn builds `app` by asking for it, so importing this module does not read the environment.
    if name != "app":
        raise AttributeError(name)
    app = globals()["app"] = _app_from_environment()
    return app
