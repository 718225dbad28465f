"""Format of a cached result: JSON, compressed.

Timings belong to one request and are left out. Failures have no place in it: failed results are not cached.
"""

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from ocr_service.core.documents import Block, DocumentResult, PageResult, PageWarning, Timings, WarningCode

# Raised when the format changes. A result in another version is a miss.
VERSION = 4

# Text shrinks to a third. A higher level gains little and takes many times as long.
_LEVEL = 1


def to_bytes(result: DocumentResult, cached_at: float) -> bytes:
    """Return the bytes; cached_at: seconds since 1970. Slow for many pages, so not for the event loop."""
    pages = [_page_to_json(page) for page in result.pages]
    content = {"version": VERSION, "cached_at": cached_at, "pages": pages}
    return zlib.compress(json.dumps(content, ensure_ascii=False).encode(), _LEVEL)


def from_bytes(data: bytes) -> tuple[DocumentResult, float]:
    """Return the result and the time when it was cached; raises ValueError if the data is not valid."""
    try:
        content = json.loads(zlib.decompress(data))
        if content["version"] != VERSION:
            raise ValueError(f"it has version {content['version']}")
        pages = tuple(_page_from_json(page) for page in content["pages"])
        return DocumentResult(pages, Timings(), total=0.0), float(content["cached_at"])
    except (zlib.error, LookupError, TypeError, AttributeError) as error:
        raise ValueError("it is damaged") from error


def _page_to_json(page: PageResult) -> dict[str, Any]:
    assert page.failure is None and not page.failed_blocks
    content = asdict(replace(page, images={}, drawings={}, docx=None))
    for name in ("timings", "failure"):
        del content[name]
    for block in content["blocks"]:
        del block["failure"]
    content["images"] = _to_text(page.images)
    content["drawings"] = _to_text(page.drawings)
    content["docx"] = b64encode(page.docx).decode("ascii") if page.docx else None
    return content


def _page_from_json(content: dict[str, Any]) -> PageResult:
    blocks = tuple(Block(**{**block, "bbox": tuple(block["bbox"])}) for block in content["blocks"])
    warnings = tuple(
        PageWarning(WarningCode(warning["code"]), warning["detail"]) for warning in content["warnings"]
    )
    files = {
        "images": _from_text(content["images"]),
        "drawings": _from_text(content["drawings"]),
        "docx": b64decode(content["docx"]) if content["docx"] else None,
    }
    values = {"blocks": blocks, "warnings": warnings, "decoded": tuple(content["decoded"])}
    return PageResult(**{**content, **files, **values})


def _to_text(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: b64encode(file).decode("ascii") for name, file in files.items()}


def _from_text(files: Mapping[str, str]) -> dict[str, bytes]:
    return {name: b64decode(file) for name, file in files.items()}
