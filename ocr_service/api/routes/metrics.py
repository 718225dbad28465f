"""`GET /metrics` for Prometheus."""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, choose_encoder, generate_latest

from ocr_service.api.middleware.api_keys import caller_of
from ocr_service.api.service import Service, service_of
from ocr_service.api.state_metrics import Scrape
from ocr_service.core.engine import Engine
from ocr_service.core.errors import error_kinds
from ocr_service.telemetry import metrics
from ocr_service.telemetry.gpus import Gpu
from ocr_service.telemetry.request_context import CLIENT_CLOSED_REQUEST

router = APIRouter()


@router.get("/metrics", include_in_schema=False)
async def get_metrics(request: Request) -> Response:
    """Answer in the format of the `Accept` header: the one of Prometheus, or OpenMetrics."""
    service = service_of(request)
    try:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
    except TypeError:
        # The version in the header is not a number.
        encode, content_type = generate_latest, CONTENT_TYPE_PLAIN_0_0_4
    async with service.scrapes.one(caller_of(request.scope)):
        scrape = _scrape(service, await service.gpus.read())
        # In a thread, because it takes some milliseconds and reads from /proc.
        body = await asyncio.to_thread(encode, scrape)
    return Response(body, headers={"Content-Type": content_type})


def _scrape(service: Service, gpus: Sequence[Gpu]) -> Scrape:
    return Scrape(
        service.pipeline,
        service.admission,
        service.result_store,
        service.connections,
        service.jobs,
        service.upload_disk,
        gpus,
    )


def create_series(router: APIRouter, engine: Engine) -> None:
    """Create the series of routes that take documents, with value 0 before the first request."""
    routes = [
        route for route in router.routes if isinstance(route, APIRoute) and "POST" in (route.methods or ())
    ]
    statuses = {
        HTTPStatus.OK,
        HTTPStatus.NOT_MODIFIED,
        CLIENT_CLOSED_REQUEST,
        *(e.status for e in error_kinds()),
    }
    metrics.create_series([route.path for route in routes], sorted(statuses), engine.name)
