"""The fields of a request to `/ocr`, from its query and its form together."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ocr_service.documents import Options
from ocr_service.errors import RequestError


class OcrFields(BaseModel):
    """What a caller may say beside the document; an empty value, as browsers send, says nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pages: str = Field(
        "",
        max_length=1000,
        description="Pages to read, counted from 1: numbers, ranges, open ranges. Default: all.",
        # The documentation page fills its form with the first, which must suit every document.
        examples=["1-", "1-3,7"],
    )
    lang: str = Field(
        "",
        max_length=200,
        description="Languages of the document, by Tesseract's names, joined by `+`. "
        "Default: the service's setting, `rus+eng`.",
        examples=["rus+eng"],
    )
    format: Literal["json", "markdown", "text"] = Field(
        "json",
        description="What to answer with: everything as JSON, or Markdown or plain text alone.",
        examples=["json"],
    )

    @property
    def options(self) -> Options:
        """What of it concerns the engine."""
        return Options(lang=self.lang or None)


def read_fields(query: dict[str, str], form: dict[str, str]) -> OcrFields:
    """Check the fields, the form's before the query's; raises RequestError that names the field."""
    given = {name: value for name, value in {**query, **form}.items() if value}
    try:
        return OcrFields.model_validate(given)
    except ValidationError as error:
        raise RequestError(
            "; ".join(_sentence(e["loc"], e["msg"], e["type"]) for e in error.errors())
        ) from None


def _sentence(location: tuple[int | str, ...], message: str, kind: str) -> str:
    name = ".".join(str(part) for part in location)
    if kind == "extra_forbidden":
        return f"There is no field {name!r}; there are file, {', '.join(OcrFields.model_fields)}"
    return f"{name}: {message}"
