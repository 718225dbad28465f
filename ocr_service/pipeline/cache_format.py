"""A document's result as bytes, in which it can be kept: JSON, compressed.

What belongs to the day it was read is left out: its timings. What failed has no form: it is not kept.
"""

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from ocr_service.core.documents import Block, DocumentResult, PageResult, Timings

# Raised when the form changes: what was kept in another one is read anew.
FORM = 2

# Text shrinks to a third; more effort gains little and takes many times as long.
_EFFORT = 1


def to_bytes(result: DocumentResult, kept_at: float) -> bytes:
    """Return the bytes; kept_at: seconds since 1970. Takes time for many pages: not for the event loop."""
    pages = [_page_to_json(page) for page in result.pages]
    form = {"form": FORM, "kept_at": kept_at, "pages": pages}
    return zlib.compress(json.dumps(form, ensure_ascii=False).encode(), _EFFORT)


def from_bytes(kept: bytes) -> tuple[DocumentResult, float]:
    """Return the result and when it was kept; raises ValueError for anything that is not of this form."""
    try:
        form = json.loads(zlib.decompress(kept))
        if form["form"] != FORM:
            raise ValueError(f"form {form['form']}")
        pages = tuple(_page_from_json(page) for page in form["pages"])
        return DocumentResult(pages, Timings(), total=0.0), float(form["kept_at"])
    except (zlib.error, LookupError, TypeError, AttributeError) as error:
        raise ValueError("it is torn") from error


def _page_to_json(page: PageResult) -> dict[str, Any]:
    assert page.failure is None and not page.failed_blocks
    form = asdict(replace(page, images={}, drawings={}, docx=None))
    for name in ("timings", "failure"):
        del form[name]
    for block in form["blocks"]:
        del block["failure"]
    form["images"] = _to_text(page.images)
    form["drawings"] = _to_text(page.drawings)
    form["docx"] = b64encode(page.docx).decode("ascii") if page.docx else None
    return form


def _page_from_json(form: dict[str, Any]) -> PageResult:
    blocks = tuple(Block(**{**block, "bbox": tuple(block["bbox"])}) for block in form["blocks"])
    files = {
        "images": _from_text(form["images"]),
        "drawings": _from_text(form["drawings"]),
        "docx": b64decode(form["docx"]) if form["docx"] else None,
    }
    return PageResult(**{**form, **files, "blocks": blocks, "decoded": tuple(form["decoded"])})


def _to_text(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: b64encode(file).decode("ascii") for name, file in files.items()}


def _from_text(files: Mapping[str, str]) -> dict[str, bytes]:
    return {name: b64decode(file) for name, file in files.items()}
