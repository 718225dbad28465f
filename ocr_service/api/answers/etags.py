"""Answers that the caller has already: `ETag` and `If-None-Match` (RFC 9110, 8.8.3 and 13.1.2)."""

import re
from collections.abc import Iterable

from ocr_service.api.requests.ocr_fields import OcrFields

_TAG = re.compile(r'(?:W/)?("[^"]*")')


def etag(key: str | None, fields: OcrFields) -> str | None:
    """Return the tag of an answer, by its result's key and its form; None where it has no key.

    A weak one: what is said of the request itself, such as its id and its timings, is another each time.
    """
    if key is None:
        return None
    pictures = "" if fields.images or fields.format != "json" else "-without-images"
    return f'W/"{key}-{fields.format}{pictures}"'


def is_known(tag: str, if_none_match: Iterable[str]) -> bool:
    """Say whether the caller's headers name the tag; the weak comparison, as for reading."""
    named = {match for header in if_none_match for match in _TAG.findall(header)}
    return tag.removeprefix("W/") in named
