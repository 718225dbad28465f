"""The result of a page as JSON values, for files and objects that outlive a request."""

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from ocr_service.core.documents import Block, PageResult, PageWarning, TextSource, Timings, WarningCode, Word
from ocr_service.core.errors import OcrError, PageError, error_kinds

# Text shrinks to a third. A higher level gains little and takes many times as long.
_LEVEL = 1

_Failure = Mapping[str, str] | None


def page_to_json(page: PageResult) -> dict[str, Any]:
    """Return a page as JSON values."""
    return {
        **_fields(page),
        "blocks": [_block_to_json(block) for block in page.blocks],
        "warnings": [_fields(warning) for warning in page.warnings],
        "timings": _fields(page.timings),
        "failure": _failure_to_json(page.failure),
        "images": _to_text(page.images),
        "drawings": _to_text(page.drawings),
        "docx": b64encode(page.docx).decode("ascii") if page.docx else None,
    }


def page_from_json(content: Mapping[str, Any]) -> PageResult:
    """Return the page; raises LookupError, TypeError or ValueError if the values are not those of a page."""
    failure = _failure_from_json(content["failure"])
    assert failure is None or isinstance(failure, PageError)
    values = {
        "blocks": tuple(_block(block) for block in content["blocks"]),
        "warnings": tuple(
            PageWarning(WarningCode(each["code"]), each["detail"]) for each in content["warnings"]
        ),
        "decoded": tuple(content["decoded"]),
        "source": TextSource(content["source"]),
        "timings": Timings(**content["timings"]),
        "failure": failure,
        "images": _from_text(content["images"]),
        "drawings": _from_text(content["drawings"]),
        "docx": b64decode(content["docx"]) if content["docx"] else None,
    }
    return PageResult(**{**content, **values})


def page_to_bytes(page: PageResult) -> bytes:
    """Return a page as the bytes of a file."""
    return zlib.compress(json.dumps(page_to_json(page), ensure_ascii=False).encode(), _LEVEL)


def page_from_bytes(data: bytes | memoryview) -> PageResult:
    """Return the page of a file; raises ValueError if it is damaged or in another version of the format."""
    try:
        return page_from_json(json.loads(zlib.decompress(data)))
    except (zlib.error, LookupError, TypeError, AttributeError) as error:
        raise ValueError("it is damaged") from error


def _fields(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass; `asdict` also copies their values, which takes ten times as long."""
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def _block_to_json(block: Block) -> dict[str, Any]:
    words = [_fields(word) for word in block.words]
    return {**_fields(block), "words": words, "failure": _failure_to_json(block.failure)}


def _block(content: Mapping[str, Any]) -> Block:
    failure = _failure_from_json(content["failure"])
    words = tuple(Word(**{**word, "bbox": tuple(word["bbox"])}) for word in content["words"])
    values = {"bbox": tuple(content["bbox"]), "source": TextSource(content["source"])}
    return Block(**{**content, **values, "failure": failure, "words": words})


def _failure_to_json(failure: OcrError | None) -> _Failure:
    return {"code": failure.code, "detail": failure.detail} if failure else None


def _failure_from_json(failure: _Failure) -> OcrError | None:
    if failure is None:
        return None
    kinds = {kind.code: kind for kind in error_kinds()}
    return kinds[failure["code"]](failure["detail"])


def _to_text(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: b64encode(file).decode("ascii") for name, file in files.items()}


def _from_text(files: Mapping[str, str]) -> dict[str, bytes]:
    return {name: b64decode(file) for name, file in files.items()}
