"""The fields of a request to `/ocr`, from its query and its body."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from pydantic import Field, ValidationError

from ocr_service.api.requests.accept import PDF_FORMS, File, Form
from ocr_service.api.requests.body import URL_FIELD, URL_FIELDS
from ocr_service.api.requests.multipart import FILE_FIELD
from ocr_service.api.requests.pdf_fields import PdfFields
from ocr_service.api.requests.recognition_fields import RecognitionFields
from ocr_service.core.errors import RequestError
from ocr_service.core.options import Options, TextLayerUse

# The name of `lang` in LiteParse.
_LANGUAGE = "language"
# Characters of an unknown name in the error.
_MAX_NAME = 64


class OcrFields(RecognitionFields, PdfFields):
    """The fields beside the document. Empty values, which browsers send, are ignored."""

    pages: str = Field(
        "",
        max_length=1000,
        description="Pages to read, counted from 1: numbers, ranges, open ranges. Default: all.",
        # Swagger UI fills its form with the first example, which must suit every document.
        examples=["1-", "1-3,7"],
    )
    lang: str = Field(
        "",
        max_length=200,
        description="Languages of the document, by the names of Tesseract, joined by `+`. "
        "Default: the setting `OCR_LANG`, `rus+eng`.",
        examples=["rus+eng"],
    )
    rotate: Literal["auto", "0", "90", "180", "270"] = Field(
        "auto",
        description="Degrees counterclockwise that make the pages upright; `auto` finds them for each page. "
        "Tesseract only.",
        examples=["auto"],
    )
    format: Literal["json"] | File | None = Field(
        None,
        description="Format of the answer: `json` with all results, or one of `markdown`, `text`, `html`, "
        "`docx`, `pdf` (searchable) or `pdfa` (the same as PDF/A-2b). Default: the `Accept` header decides; "
        "without it, `json`.",
    )
    images: bool = Field(
        True,
        description="Whether a JSON answer contains the images of the Markdown.",
        examples=[True],
    )
    words: bool = Field(
        False,
        description="Whether each block of a JSON answer or of a stream has its words, with their boxes and "
        "confidence. PaddleOCR-VL has no words, and refuses the option.",
        examples=[False],
    )
    cache: bool = Field(
        True,
        description="Whether the cache is used: for an earlier result, and to keep this one.",
        examples=[True],
    )
    store: bool = Field(
        True,
        description="Whether the result is stored, also for the cache, if the service has a storage.",
        examples=[True],
    )
    store_source: bool = Field(
        False,
        description="Whether the document itself is stored with its result.",
        examples=[False],
    )

    timeout: float | None = Field(
        None,
        ge=1,
        le=86_400,
        allow_inf_nan=False,
        description="Seconds after which the request is cancelled. Maximum and default: the setting "
        "`OCR_REQUEST_TIMEOUT`.",
    )

    @property
    def selection(self) -> str | None:
        """The selected pages, or None for all."""
        return self.pages or None

    def recognition(self, form: Form | None, *, finds_words: bool) -> Options:
        """Return the options for the engine; raises RequestError if they do not suit the form of the answer.

        finds_words: see `Engine`.
        """
        turn = None if self.rotate == "auto" else int(self.rotate)
        use, words = self.text_layer_use, self.words
        if form in PDF_FORMS:
            if self.restructure_pages:
                raise RequestError("restructure_pages moves text to other pages, so a PDF cannot have it.")
            # A page with good text of its own needs no other.
            use, words = use or TextLayerUse.AUTO, words or finds_words
        return replace(self.options(self.lang or None), rotate=turn, words=words, text_layer=use)


def read_fields(query: dict[str, str], body: dict[str, str]) -> OcrFields:
    """Validate the fields; the body has precedence. Raises RequestError that names the field."""
    check_names(query)
    if "password" in query:
        raise RequestError("password: send it in the body; addresses are logged on their way.")
    given = {**_without_alias(query), **_without_alias(body)}
    if query.keys() & body.keys():
        # An invalid value in the query is refused, even if the body has precedence.
        _validated(query)
    return _validated(given)


def check_names(names: Iterable[str]) -> None:
    """Raise RequestError for the name of a field that does not exist."""
    if unknown := set(names) - OcrFields.model_fields.keys() - {_LANGUAGE}:
        raise RequestError(_unknown_field(min(unknown)))


def _validated(given: dict[str, str]) -> OcrFields:
    try:
        return OcrFields.model_validate({name: value for name, value in given.items() if value})
    except ValidationError as error:
        raise RequestError(_validation_message(error, given)) from None


def _without_alias(fields: dict[str, str]) -> dict[str, str]:
    """Rename the alias of a field."""
    if _LANGUAGE not in fields:
        return fields
    if fields.get("lang"):
        raise RequestError(f"The field 'lang' is given twice: {_LANGUAGE!r} is its alias.")
    return {"lang" if name == _LANGUAGE else name: value for name, value in fields.items() if name != "lang"}


def _validation_message(error: ValidationError, given: dict[str, str]) -> str:
    """Return one message for each field: a field with several types has an error for each of them."""
    messages: dict[str, str] = {}
    for detail in error.errors():
        name = str(detail["loc"][0])
        is_json = any(part.startswith("json") for part in map(str, detail["loc"]))
        if name not in messages or (is_json and str(given[name])[:1] in "[{"):
            messages[name] = detail["msg"]
    return "; ".join(f"{name}: {message}" for name, message in messages.items())


def _unknown_field(name: str) -> str:
    if name in (FILE_FIELD, *URL_FIELDS):
        return "Send the document or its address in the body, not in the query."
    known = ", ".join((FILE_FIELD, URL_FIELD, *OcrFields.model_fields))
    return f"Unknown field {name[:_MAX_NAME]!r}. Known fields: {known}."
