"""What a request asks for, once all of it is known."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

from ocr_service.api.answers.document import DocumentAnswer
from ocr_service.api.requests.body import Body
from ocr_service.api.requests.ocr_fields import OcrFields
from ocr_service.api.service import Service
from ocr_service.core.documents import DocumentResult
from ocr_service.pipeline.pipeline import Job
from ocr_service.sources.fetching import Hold
from ocr_service.sources.source import Source
from ocr_service.telemetry.request_context import request_id


@dataclass(frozen=True, slots=True)
class Asked:
    """service: who is asked. source: the document. fields: as they were sent. job: what is to be done."""

    service: Service
    source: Source
    fields: OcrFields
    job: Job

    @property
    def is_kept(self) -> bool:
        """Whether its result is stored."""
        return self.fields.store and self.service.storing.storage is not None


def result_json_of(asked: Asked, result: DocumentResult) -> Callable[[], str]:
    """Return a function that renders the result as JSON on the first call; it blocks."""
    engine, images = asked.service.pipeline.engine, asked.fields.images
    answer = partial(DocumentAnswer.of, result, engine, request_id.get(), images)
    return cache(lambda: answer().to_store())


async def source_of(body: Body, service: Service, hold: Hold) -> Source:
    """Return the document, fetched where the body names its address.

    hold: told of fetched bytes before they are kept; what it raises ends the fetching.
    """
    if isinstance(body.document, bytes):
        return Source(body.document, body.name)
    return await service.sources.get(body.document, hold)
