"""The submit of PaddleOCR's jobs API: a form with a file, or JSON with an address."""

from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator
from pydantic.alias_generators import to_camel
from pydantic_core import from_json

from ocr_service.api.requests.body import read_body, read_json
from ocr_service.api.requests.body_stream import BodyStream
from ocr_service.api.requests.layout_fields import LayoutOptions
from ocr_service.core.errors import NoFile, RequestError, TooManyBytes
from ocr_service.core.options import Options

_JSON = "application/json"
_URL_FIELD = "fileUrl"
_HOW_TO_SEND = f'Send a document as "file" of a form, or its address as "{_URL_FIELD}" of a JSON object.'
_OCR_MODELS = "PP-OCR"
_MODELS = (_OCR_MODELS, "PP-Structure", "PaddleOCR-VL")


def _options(value: Any) -> Any:
    """Return the options, which a form has as JSON text, with the names of PaddleX.

    Langflow writes the names with underscores, and sends an empty text for an option that is not set.
    """
    options = from_json(value) if isinstance(value, str) else value
    if not isinstance(options, dict):
        raise ValueError("it must be a JSON object")
    return {to_camel(name): given for name, given in options.items() if given not in ("", None)}


class PaddleJobFields(BaseModel):
    """The fields beside the document; unknown fields and options are ignored, as other models have others."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel)

    model: str = Field(
        description="Form of the result: `PP-OCR…` for lines of text, `PaddleOCR-VL…` or `PP-Structure…` for "
        "blocks and Markdown. The engine of the service reads the document in any case.",
        examples=["PaddleOCR-VL-1.6"],
        json_schema_extra={"pattern": f"^({'|'.join(_MODELS)})"},
    )
    optional_payload: Annotated[LayoutOptions, BeforeValidator(_options)] = Field(
        LayoutOptions(), description="The options of `/layout-parsing`; in a form as JSON text."
    )
    page_ranges: str = Field(
        "", max_length=1000, description="Pages to read, counted from 1: numbers and ranges. Default: all."
    )
    batch_id: str = Field(
        "",
        max_length=255,
        description="Label that jobs share, to look at them together.",
        # Some clients put it into a path without escapes.
        pattern="^[^?#]*$",
    )

    @field_validator("model")
    @classmethod
    def _is_known(cls, model: str) -> str:
        if not model.startswith(_MODELS):
            raise ValueError("it must be one of PP-OCRv6, PP-StructureV3, PaddleOCR-VL-1.6 or a relative")
        return model

    @field_validator("optional_payload")
    @classmethod
    def _has_no_password(cls, options: LayoutOptions) -> LayoutOptions:
        if options.password is not None:
            raise ValueError("password: a job has none, because its fields are stored")
        return options

    @property
    def wants_lines(self) -> bool:
        """Whether the result is lines of text, and not blocks and Markdown."""
        return self.model.startswith(_OCR_MODELS)

    def recognition(self, finds_words: bool) -> Options:
        """Return the options for the engine. finds_words: see `Engine`."""
        options = self.optional_payload.recognition
        if not self.wants_lines:
            return options
        return replace(options, words=finds_words, visualize=False, word_documents=False)

    def stored(self) -> dict[str, Any]:
        """Return the fields that were sent, as JSON values."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


@dataclass(frozen=True, slots=True)
class PaddleSubmit:
    """document: its bytes or its address. name: of the file, or ""."""

    document: bytes | str
    name: str
    fields: PaddleJobFields


async def read_submit(stream: BodyStream) -> PaddleSubmit:
    """Read a submit; raises RequestError and the errors of `read_body`."""
    media_type = stream.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == _JSON:
        return await _from_json(stream)
    try:
        body = await read_body(stream, lambda names: None)
    except NoFile:
        raise NoFile(_HOW_TO_SEND) from None
    return PaddleSubmit(body.document, body.name, _validated(body.fields))


async def _from_json(stream: BodyStream) -> PaddleSubmit:
    sent, strings = await read_json(stream)
    if not isinstance(sent, dict):
        raise RequestError(f"The JSON body must be an object. {_HOW_TO_SEND}")
    if strings.placeholders:
        raise TooManyBytes(f"A field is too long. {_HOW_TO_SEND}")
    address = sent.get(_URL_FIELD)
    if not (address and isinstance(address, str)):
        raise NoFile(_HOW_TO_SEND)
    return PaddleSubmit(address, "", _validated(sent))


def _validated(given: dict[str, Any]) -> PaddleJobFields:
    try:
        return PaddleJobFields.model_validate(
            {name: value for name, value in given.items() if value not in ("", None)}
        )
    except ValidationError as error:
        raise RequestError(_message(error)) from None


def _message(error: ValidationError) -> str:
    """Return one message for each field or option: one with several types has an error for each of them."""
    messages: dict[str, str] = {}
    for detail in error.errors():
        path = [str(part) for part in detail["loc"] if part != "optionalPayload"]
        messages.setdefault(path[0] if path else "optionalPayload", detail["msg"])
    return "; ".join(f"{name}: {message}" for name, message in messages.items())
