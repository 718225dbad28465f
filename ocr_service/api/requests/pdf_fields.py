"""The fields about PDFs, for all faces of the API that take options."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from ocr_service.core.options import TextLayerUse


class PdfFields(BaseModel):
    """How to open a PDF, and how to use the text that it holds."""

    model_config = ConfigDict(frozen=True)

    text_layer: Literal["auto", "never", "only"] | None = Field(
        None,
        description="Use of the text that a PDF itself holds: `auto` takes it where it is good and "
        "recognizes the other pages, `never` recognizes all pages, `only` recognizes none. Default: "
        "`auto` with Tesseract and for a searchable PDF, `never` with PaddleOCR-VL.",
    )

    password: SecretStr | None = Field(
        None,
        max_length=1000,
        description="Password of an encrypted PDF; only in the body of a request, and not for jobs.",
    )

    @property
    def text_layer_use(self) -> TextLayerUse | None:
        """The option for the pipeline; None for the default of the engine."""
        return None if self.text_layer is None else TextLayerUse(self.text_layer)

    @property
    def pdf_password(self) -> str | None:
        """The password in plain text."""
        return None if self.password is None else self.password.get_secret_value()
