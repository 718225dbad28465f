"""The parts of a run: the places, and the service that reads."""

import argparse
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from ocr_service.bulk.local import local_service
from ocr_service.bulk.options import wanted_by
from ocr_service.bulk.patience import Patience
from ocr_service.bulk.places import bucket_of, check_places, results_at, source_at
from ocr_service.bulk.reading import DocumentReader, Limit
from ocr_service.bulk.replica import Replica


@asynccontextmanager
async def session(
    options: argparse.Namespace, environment: Mapping[str, str]
) -> AsyncIterator[DocumentReader]:
    """Connect to the service, or start one; raises CannotRun."""
    check_places(options.source, options.results)
    patience = Patience(options.patience)
    source = source_at(options.source, environment, patience)
    results = results_at(options.results, environment, patience)
    async with AsyncExitStack() as opened:
        url, key = options.server, options.key
        if options.local:
            service = local_service(environment, bucket_of(options.source), options.in_flight)
            url, key = await opened.enter_async_context(service), None
        replica = await opened.enter_async_context(Replica(url, key, options.batch, patience))
        engine = await replica.engine()
        limit = Limit(options.limit)
        yield DocumentReader(
            source, results, replica, engine, wanted_by(options), options.retry_failed, limit
        )
