"""Format of a cached result: JSON, compressed. Timings belong to one request and are left out."""

import json
import zlib
from dataclasses import replace

from ocr_service.core.documents import DocumentResult, Timings
from ocr_service.pipeline.page_format import compressed, page_from_json, page_to_json

# Raised when the format changes. A result in another version is a miss.
VERSION = 7


def to_bytes(result: DocumentResult, cached_at: float) -> bytes:
    """Return the bytes; cached_at: seconds since 1970. Slow for many pages, so not for the event loop."""
    pages = [page_to_json(replace(page, timings=Timings())) for page in result.pages]
    return compressed({"version": VERSION, "cached_at": cached_at, "pages": pages})


def from_bytes(data: bytes) -> tuple[DocumentResult, float]:
    """Return the result and the time when it was cached; raises ValueError if the data is not valid."""
    try:
        content = json.loads(zlib.decompress(data))
        if content["version"] != VERSION:
            raise ValueError(f"it has version {content['version']}")
        pages = tuple(page_from_json(page) for page in content["pages"])
        return DocumentResult(pages, Timings(), total=0.0), float(content["cached_at"])
    except (zlib.error, LookupError, TypeError, AttributeError) as error:
        raise ValueError("it is damaged") from error
