"""The form of an answer, from the field `format` and the `Accept` header (RFC 9110, 12.5.1)."""

import re
from collections.abc import Sequence
from typing import Literal

File = Literal["markdown", "text", "html", "docx", "pdf", "pdfa"]
Form = Literal["json", "stream"] | File

NDJSON = "application/x-ndjson"
# Without HTML: some clients accept it by default and expect JSON, as URLConnection of Java.
_MEDIA_TYPES: dict[Form, str] = {
    "json": "application/json",
    "markdown": "text/markdown",
    "text": "text/plain",
    "pdf": "application/pdf",
}
# Both are searchable PDFs.
PDF_FORMS = ("pdf", "pdfa")
_QUALITY = re.compile(r"q=(\d*\.?\d*)")
# Some clients, such as the one of Java, write the second for the first.
_ANYTHING = ("*/*", "*")


def answer_form(chosen: Form | None, accept: Sequence[str]) -> Form:
    """Return the form of the answer: the chosen one, else the one that the `Accept` headers prefer.

    JSON is the default: it is chosen in a tie, and if the headers accept nothing that the service has. If a
    client names NDJSON, JSON is sent as a stream, because hardly any client names it without a reason.
    """
    qualities = dict(_media_range(text) for header in accept for text in header.split(","))
    streams = qualities.get(NDJSON, 0.0)
    preferences = {form: _quality(media_type, qualities) for form, media_type in _MEDIA_TYPES.items()}
    preferences["json"] = max(preferences["json"], streams)
    best: Form = max(preferences, key=lambda form: preferences[form])
    form = chosen or best
    return "stream" if form == "json" and streams else form


def _media_range(text: str) -> tuple[str, float]:
    media_type, *parameters = (part.strip().lower() for part in text.split(";"))
    found = filter(None, map(_QUALITY.fullmatch, parameters))
    return media_type, next((_number(match[1]) for match in found), 1.0)


def _number(text: str) -> float:
    try:
        return min(float(text), 1.0)
    except ValueError:
        return 1.0


def _quality(media_type: str, qualities: dict[str, float]) -> float:
    """Return the quality that the most specific range gives a media type."""
    group = media_type.partition("/")[0]
    ranges = (media_type, f"{group}/*", *_ANYTHING)
    return next((qualities[name] for name in ranges if name in qualities), 0.0)
