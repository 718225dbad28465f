"""Start and shutdown: the background tasks, the start of the engine, and the drain before the end."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

from fastapi import FastAPI

from ocr_service.admission.admission import ABORT_SECONDS
from ocr_service.api.service import Service
from ocr_service.core.engine import EngineState
from ocr_service.core.errors import EngineUnavailable
from ocr_service.decoding.document import DECODERS
from ocr_service.exports.pdf.writing import WRITERS
from ocr_service.runtime import connections
from ocr_service.runtime.listen_address import listen_address
from ocr_service.runtime.memory import trim_when_idle
from ocr_service.runtime.signals import run_before_stop
from ocr_service.telemetry import tracing

log = logging.getLogger(__name__)

# Seconds between attempts to start an engine that could not be started.
_RETRY_SECONDS = 30.0


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    """Run the service's background tasks while uvicorn serves the app."""
    service: Service = app.state.service
    cache, result_store, engine = service.pipeline.cache, service.result_store, service.pipeline.engine
    for name, work in {
        "event loop watchdog": service.watchdog.run(),
        "engine monitor": engine.watch(),
        "memory trimming": trim_when_idle(service.admission.slots, _trim),
        "start of the decoders": asyncio.to_thread(DECODERS.start),
        "storage monitor": result_store.watch(),
        "jobs": service.jobs.run(),
        **{name: run() for name, run in service.tasks.items()},
    }.items():
        service.background.start(name, work)
    if cache is not None:
        service.background.start("cache cleanup", cache.run_cleanup())
    try:
        async with run_before_stop(partial(_drain, service)):
            with listen_address() as address:
                greeting = app.state.greeting
                service.background.start("engine start", _start_engine(service, address, greeting))
                yield {connections.STATE_KEY: app.state.connection_limits}
    finally:
        # Before their database closes.
        await service.jobs.drain()
        await service.background.stop()
        await service.jobs.close()
        if cache is not None:
            await cache.close()
        await result_store.close()
        service.sources.close()
        service.large_bodies.close()
        service.long_answers.close()
        service.upload_disk.close()
        await engine.close()
        await tracing.disable()


def _trim() -> None:
    DECODERS.trim()
    WRITERS.trim()


async def _start_engine(
    service: Service, address: "asyncio.Future[str]", greeting: Callable[[str], str]
) -> None:
    """Start the engine if it starts early, log the greeting, and retry an engine that could not be started.

    Other engines start with the first request. The greeting is the last log line of the start.
    """
    engine = service.pipeline.engine
    if service.starts_early:
        # The log and /health show a failure.
        with suppress(EngineUnavailable):
            await engine.start()
    else:
        log.info("%s initialization deferred to the first request", engine.title)
    address.add_done_callback(lambda known: log.info("%s", greeting(known.result())))
    while True:
        await asyncio.sleep(_RETRY_SECONDS)
        # A load balancer may send no requests while the engine is not ready, so no request would retry it.
        if engine.state is EngineState.UNAVAILABLE:
            with suppress(EngineUnavailable):
                await engine.start()


async def _drain(service: Service) -> None:
    """Finish running requests, refuse new ones, and then upload the spool as far as time allows."""
    log.info("stopping: waiting for %d running requests", service.admission.visits)
    try:
        async with asyncio.timeout(service.drain_seconds + ABORT_SECONDS):
            # At once, so that another replica goes on with them.
            await service.jobs.drain()
            await service.admission.drain(service.drain_seconds)
            await service.result_store.flush()
    except TimeoutError:
        log.warning("the spool could not be uploaded in time; its contents stay on disk")
