"""Conditional requests: `ETag` and `If-None-Match` (RFC 9110, 8.8.3 and 13.1.2)."""

import re
from collections.abc import Iterable

from ocr_service.api.requests.accept import Form

_TAG = re.compile(r'(?:W/)?("[^"]*")')


def etag(key: str | None, form: Form, images: bool) -> str | None:
    """Return the tag of an answer, or None if its result has no cache key.

    The tag is weak, because answers with one tag differ in the parts about the request: its id, its timings.
    """
    if key is None:
        return None
    suffix = "" if images or form != "json" else "-without-images"
    return f'W/"{key}-{form}{suffix}"'


def is_known(tag: str, if_none_match: Iterable[str]) -> bool:
    """Compare a tag with the `If-None-Match` headers of a request; the comparison is weak."""
    named = {match for header in if_none_match for match in _TAG.findall(header)}
    return tag.removeprefix("W/") in named
