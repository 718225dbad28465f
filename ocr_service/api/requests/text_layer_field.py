"""The field that says how the text of PDFs is used; for all faces of the API that take options."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ocr_service.core.options import TextLayerUse


class TextLayerField(BaseModel):
    """One field of a request."""

    model_config = ConfigDict(frozen=True)

    text_layer: Literal["auto", "never", "only"] | None = Field(
        None,
        description="Use of the text that a PDF itself holds: `auto` takes it where it is good and "
        "recognizes the other pages, `never` recognizes all pages, `only` recognizes none. Default: "
        "`auto` with Tesseract, `never` with PaddleOCR-VL.",
    )

    @property
    def text_layer_use(self) -> TextLayerUse | None:
        """The option for the pipeline; None for the default of the engine."""
        return None if self.text_layer is None else TextLayerUse(self.text_layer)
