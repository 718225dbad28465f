"""Settings of the decoding: pages and pixels of a document."""

from pydantic import Field

from ocr_service.core.settings import SettingsGroup, env_prefix


class DocumentSettings(SettingsGroup):
    """Limits of one document, and how its PDF pages are rendered."""

    model_config = env_prefix("OCR_")

    max_pages: int = Field(500, ge=1, le=100_000, description="Maximum pages that are read in one request.")
    max_page_megapixels: int = Field(
        100,
        ge=1,
        le=1000,
        description="Maximum size of a page, in millions of pixels. Larger images are refused, PDF pages are "
        "rendered smaller.",
    )
    pdf_dpi: int | None = Field(
        None,
        ge=36,
        le=1200,
        description="Resolution at which PDF pages are rendered, in pixels per inch. Empty: the engine's "
        "choice (300 for Tesseract, 144 for PaddleOCR-VL).",
    )

    @property
    def max_page_pixels(self) -> int:
        """Pixels of the largest page."""
        return self.max_page_megapixels * 1_000_000
