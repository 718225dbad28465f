"""Settings of the admission: concurrent requests, pages and memory."""

from pydantic import Field

from ocr_service.admission.admission import Bounds
from ocr_service.core.settings import SettingsGroup, env_prefix


class AdmissionSettings(SettingsGroup):
    """Limits on the load, in the units of the operator."""

    model_config = env_prefix("OCR_")

    max_waiting: int = Field(
        64,
        ge=1,
        le=10_000,
        description="Maximum backlog: requests of which no page is being read yet. Further requests are "
        "refused at once. A quarter more is for callers without another request.",
    )
    max_pages_in_flight: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="Maximum pages that are decoded or being read at the same time. Empty, or larger than "
        "the engine can use: the limit of the engine (48 for PaddleOCR-VL, its processes and one for "
        "Tesseract). One more is read for a caller without another page.",
    )
    max_megapixels_in_flight: int = Field(
        300,
        ge=1,
        le=100_000,
        description="Maximum size of these pages together, in millions of pixels. A pixel takes 5 to 10 "
        "bytes of memory, 25 at worst. A picture for another reading by Tesseract has at most twice as many "
        "pixels. A larger page is read alone. A page of a caller without another one may exceed the limit by "
        "a tenth.",
    )
    max_documents_mb: int = Field(
        1024,
        ge=1,
        le=1_000_000,
        description="Maximum memory for the files of all requests and for answers that are not read yet, in "
        "MiB. Requests beyond it are refused. Unread answers can take half of it; beyond that, the slowest "
        "reader is disconnected.",
    )
    request_timeout: float = Field(
        300,
        gt=0,
        le=86_400,
        description="Seconds that a request may take after its document has arrived. A client may "
        "ask for less.",
    )

    @property
    def unread_answer_bytes(self) -> int:
        """Memory for answers that are not read yet."""
        return self.max_documents_mb * 2**19

    def bounds(self, engine_pages: int, job_pages: int) -> Bounds:
        """Return the limits in bytes and pixels, for an engine that can use `engine_pages` at a time.

        job_pages: how many of these may be pages of jobs while requests are read.
        """
        pages = min(self.max_pages_in_flight or engine_pages, engine_pages)
        return Bounds(
            pages=pages,
            job_pages=min(job_pages, pages),
            pixels=self.max_megapixels_in_flight * 1_000_000,
            document_bytes=self.max_documents_mb * 2**20,
            waiting=self.max_waiting,
            seconds=self.request_timeout,
        )
