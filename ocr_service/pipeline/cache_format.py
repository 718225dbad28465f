"""Format of a cached result: a line of JSON, then each page, compressed.

Timings belong to one request and are left out.
"""

import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any, overload

from ocr_service.core.documents import (
    DocumentResult,
    PageQuality,
    PageResult,
    PageWarning,
    Timings,
    WarningCode,
)
from ocr_service.pipeline.page_format import page_from_bytes, page_to_bytes
from ocr_service.runtime.memory import joined

# Raised when the format changes. A result in another version is a miss.
VERSION = 8
_LINE_END = b"\n"
# Results with fewer pages are unpacked at once.
_FEW_PAGES = 8


def to_bytes(result: DocumentResult, cached_at: float) -> bytes:
    """Return the bytes; cached_at: seconds since 1970. Slow for many pages, so not for the event loop."""
    packed = [page_to_bytes(replace(page, timings=Timings())) for page in result.pages]
    head = {
        "version": VERSION,
        "cached_at": cached_at,
        "checksum": _checksum(packed),
        "sizes": [len(page) for page in packed],
        "quality": [asdict(quality) for quality in result.quality],
    }
    return joined([json.dumps(head).encode(), _LINE_END, *packed])


def from_bytes(data: bytes) -> tuple[DocumentResult, float]:
    """Return the result and the time when it was cached; raises ValueError if the data is not valid."""
    try:
        end = data.index(_LINE_END)
        head = json.loads(data[:end])
        if head["version"] != VERSION:
            raise ValueError(f"it has version {head['version']}")
        packed = _split(memoryview(data)[end + 1 :], head["sizes"])
        if _checksum(packed) != head["checksum"]:
            raise ValueError("it is damaged")
        quality = tuple(_quality(values) for values in head["quality"])
        pages: Sequence[PageResult] = PackedPages(packed)
        if len(pages) <= _FEW_PAGES:
            pages = tuple(pages)
        result = DocumentResult(pages, Timings(), total=0.0, known_quality=quality)
        return result, float(head["cached_at"])
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError("it is damaged") from error


class PackedPages(Sequence[PageResult]):
    """The pages of a result, each of which is unpacked when it is used and is not kept.

    The words of a long document take a hundred times the memory of its packed pages. While so many values are
    made or released in one step, no other thread runs.
    """

    def __init__(self, packed: Sequence[memoryview]) -> None:
        self._packed = packed

    def __len__(self) -> int:
        return len(self._packed)

    @overload
    def __getitem__(self, index: int) -> PageResult: ...

    @overload
    def __getitem__(self, index: slice) -> "PackedPages": ...

    def __getitem__(self, index: int | slice) -> "PageResult | PackedPages":
        if isinstance(index, slice):
            return PackedPages(self._packed[index])
        return page_from_bytes(self._packed[index])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)


def _split(data: memoryview, sizes: Sequence[int]) -> Sequence[memoryview]:
    if sum(sizes) != len(data):
        raise ValueError("it is damaged")
    parts, start = [], 0
    for size in sizes:
        parts.append(data[start : start + size])
        start += size
    return parts


def _checksum(parts: Sequence[bytes | memoryview]) -> int:
    value = 0
    for part in parts:
        value = zlib.crc32(part, value)
    return value


def _quality(values: dict[str, Any]) -> PageQuality:
    warnings = tuple(PageWarning(WarningCode(each["code"]), each["detail"]) for each in values["warnings"])
    return PageQuality(**{**values, "warnings": warnings})
