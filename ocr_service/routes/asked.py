"""What a request asks for, once all of it is known."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

from ocr_service.documents import DocumentResult
from ocr_service.pipeline import Job
from ocr_service.rendering import DocumentAnswer
from ocr_service.request_context import request_id
from ocr_service.routes.fields import OcrFields
from ocr_service.routes.service import Service
from ocr_service.routes.source import Source


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


def answer_of(asked: Asked, result: DocumentResult) -> Callable[[], DocumentAnswer]:
    """Make the JSON answer when it is first asked for, and once."""
    engine = asked.service.pipeline.engine
    return cache(partial(DocumentAnswer.of, result, engine, request_id.get(), asked.fields.images))
