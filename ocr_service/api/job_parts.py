"""The parts of a job that belong to the API: how its result is stored, and how its caller is told."""

import asyncio
import hashlib
import hmac
import logging
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ocr_service.api.answers.document import PageAnswer
from ocr_service.api.answers.job import JobAnswer
from ocr_service.api.answers.rendered import rendered
from ocr_service.api.answers.result_json import ResultWriter, result_json
from ocr_service.api.answers.storage import StorageAnswer
from ocr_service.api.job_faces import fields_of
from ocr_service.core.documents import DocumentResult, PageResult, Timings
from ocr_service.core.errors import DocumentError, FetchFailed
from ocr_service.exports.pdf.writing import Original
from ocr_service.jobs.job import Job
from ocr_service.pipeline.pipeline import Pipeline
from ocr_service.runtime.memory import joined
from ocr_service.sources.fetching import Fetcher
from ocr_service.storage.bundles import Bundle, FileToStore, StorageOutcome, StorageStatus
from ocr_service.storage.packing import folder_of, metadata_of, pack, source_file
from ocr_service.storage.result_store import ResultStore

log = logging.getLogger(__name__)

_ACCEPTED = range(200, 300)
_TOO_LARGE = "The pages are too large for the memory (OCR_MAX_DOCUMENTS_MB). The job has them."


class ResultStoring:
    """Stores the result of a job as that of a request is."""

    def __init__(self, result_store: ResultStore, pipeline: Pipeline) -> None:
        self._result_store = result_store
        self._engine = pipeline.engine
        self._limits = pipeline.limits

    async def __call__(
        self, job: Job, document: bytes, pages: Sequence[PageResult] | None
    ) -> Mapping[str, Any]:
        """Store the result, or spool it; return `storage` of the answer.

        pages: None if they are too large for the memory, so that nothing is stored.
        """
        if pages is None:
            outcome = StorageOutcome(StorageStatus.FAILED, error=_TOO_LARGE)
            return StorageAnswer.of(outcome).model_dump(mode="json")
        timings = sum((page.timings for page in pages), start=Timings())
        result = DocumentResult(tuple(pages), timings, total=0.0)
        files = await self._rendered(job, document, result)
        bundle = await asyncio.to_thread(self._packed, job, document, result, files)
        return StorageAnswer.of(await self._result_store.store(bundle)).model_dump(mode="json")

    async def _rendered(self, job: Job, document: bytes, result: DocumentResult) -> Sequence[FileToStore]:
        """Return the file of the form that the job wants."""
        form = fields_of(job).format
        if form is None or form == "json":
            return ()
        try:
            original = Original(document, self._limits)
            return [(await rendered(result, form, self._engine.name, job.name, original)).file]
        except DocumentError as error:
            # The text is there, and the answer with the file says the same.
            log.warning("the result of job %s is stored without its file: %s", job.id, error.code)
            return ()

    def _packed(
        self, job: Job, document: bytes, result: DocumentResult, files: Sequence[FileToStore]
    ) -> Bundle:
        fields, storage = fields_of(job), self._result_store.storage
        assert storage is not None
        answer_of = partial(PageAnswer.of, images=fields.images, words=fields.words)
        writer = ResultWriter(self._engine, job.request_id, answer_of)
        return pack(
            # Another attempt, perhaps after midnight, writes the same files again.
            folder_of(storage.prefix, job.id, job.created),
            joined(list(result_json(result, writer))),
            result.pages,
            files,
            source_file(document, job.name) if fields.store_source else None,
            metadata_of(job.sha256, self._engine, job.request_id),
        )


class Callbacks:
    """Tells callers about the ends of their jobs, signed as Standard Webhooks describe it."""

    def __init__(self, fetcher: Fetcher, secret: str | None) -> None:
        self._fetcher = fetcher
        self._secret = (secret or "").encode()

    async def __call__(self, job: Job) -> None:
        """Send the job to its `callback_url`; raises OcrError if it is not accepted."""
        assert job.callback_url is not None
        body = JobAnswer.of(job).model_dump_json().encode()
        sent = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "webhook-id": job.id,
            "webhook-timestamp": sent,
            "webhook-signature": f"v1,{self._signature(job.id, sent, body)}",
        }
        status = await self._fetcher.post(job.callback_url, headers, body)
        if status not in _ACCEPTED:
            raise FetchFailed(f"The server answered {status}.")

    def _signature(self, message_id: str, sent: str, body: bytes) -> str:
        signed = f"{message_id}.{sent}.".encode() + body
        return b64encode(hmac.new(self._secret, signed, hashlib.sha256).digest()).decode()
