"""The fields of a request to `/ocr`, from its query and its body together."""

from typing import Literal

from pydantic import Field, ValidationError

from ocr_service.api.requests.body import FILE_FIELD, URL_FIELD
from ocr_service.api.requests.recognition_fields import RecognitionFields
from ocr_service.core.errors import RequestError
from ocr_service.core.options import Options

# As LiteParse has it.
_LANGUAGE = "language"


class OcrFields(RecognitionFields):
    """What a caller may say beside the document; an empty value, as browsers send, says nothing."""

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
    format: Literal["json", "markdown", "text"] | None = Field(
        None,
        description="Format of the answer: `json` with all results, or only `markdown` or `text`. "
        "Default: the `Accept` header decides; without it, `json`.",
    )
    images: bool = Field(
        True,
        description="Whether a JSON answer holds the pictures that the Markdown refers to.",
        examples=[True],
    )
    cache: bool = Field(
        True,
        description="Whether a result that was read before will do, and this one is kept for others.",
        examples=[True],
    )
    store: bool = Field(
        True,
        description="Whether the result is stored, for the cache too, where the service has a storage.",
        examples=[True],
    )
    store_source: bool = Field(
        False,
        description="Whether the document itself is stored beside its result.",
        examples=[False],
    )

    timeout: float | None = Field(
        None,
        ge=1,
        le=86_400,
        allow_inf_nan=False,
        description="Seconds after which the caller does not want the answer any more; the service's own "
        "limit, `OCR_REQUEST_TIMEOUT`, holds where it is shorter.",
    )

    @property
    def selection(self) -> str | None:
        """Which pages, or None for all."""
        return self.pages or None

    @property
    def recognition(self) -> Options:
        """What of it concerns the engine."""
        return self.options(self.lang or None)


def read_fields(query: dict[str, str], body: dict[str, str]) -> OcrFields:
    """Check the fields, the body's before the query's; raises RequestError that names the field."""
    given = {**_renamed(query), **_renamed(body)}
    if unknown := given.keys() - OcrFields.model_fields.keys():
        raise RequestError(_no_such_field(min(unknown)))
    if query.keys() & body.keys():
        # A wrong value is refused, also where another one goes before it.
        _checked(query)
    return _checked(given)


def _checked(given: dict[str, str]) -> OcrFields:
    try:
        return OcrFields.model_validate({name: value for name, value in given.items() if value})
    except ValidationError as error:
        raise RequestError(_what_is_wrong(error, given)) from None


def _renamed(fields: dict[str, str]) -> dict[str, str]:
    """Give a field that other services call differently our name."""
    if _LANGUAGE not in fields:
        return fields
    if fields.get("lang"):
        raise RequestError(f"The field 'lang' is given twice: {_LANGUAGE!r} is the same.")
    return {"lang" if name == _LANGUAGE else name: value for name, value in fields.items() if name != "lang"}


def _what_is_wrong(error: ValidationError, given: dict[str, str]) -> str:
    """Name each field once: one that may be a word, a number or JSON fails as each of them."""
    messages: dict[str, str] = {}
    for wrong in error.errors():
        name = str(wrong["loc"][0])
        is_json = any(part.startswith("json") for part in map(str, wrong["loc"]))
        if name not in messages or (is_json and str(given[name])[:1] in "[{"):
            messages[name] = wrong["msg"]
    return "; ".join(f"{name}: {message}" for name, message in messages.items())


def _no_such_field(name: str) -> str:
    if name in (FILE_FIELD, URL_FIELD):
        return "The document, or its address, goes into the body, not into the query."
    known = ", ".join((FILE_FIELD, URL_FIELD, *OcrFields.model_fields))
    return f"There is no field {name!r}; there are {known}."
