"""A document's result → the files that are stored of it, and the folder they go to."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from ocr_service import __version__
from ocr_service.core.documents import PAGE_BREAK, PageResult
from ocr_service.core.engine import Engine
from ocr_service.decoding.signatures import identify
from ocr_service.storage.parcels import Parcel, StoredFile

_JSON = "application/json; charset=utf-8"
_MARKDOWN = "text/markdown; charset=utf-8"
_JPEG = "image/jpeg"

# By the name that decoding has for a type of file: its extensions, the usual one first, and its content type.
_TYPES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "PDF": ((".pdf",), "application/pdf"),
    "PNG": ((".png",), "image/png"),
    "JPEG": ((".jpg", ".jpeg"), _JPEG),
    "TIFF": ((".tif", ".tiff"), "image/tiff"),
    "WEBP": ((".webp",), "image/webp"),
    "BMP": ((".bmp",), "image/bmp"),
    "GIF": ((".gif",), "image/gif"),
    "HEIF": ((".heic", ".heif"), "image/heic"),
}
_NOT_IN_NAMES = set('<>:"|?*')
# File systems allow a name 255 bytes.
_LONGEST_NAME = 180


def folder_of(prefix: str, unique_id: str) -> str:
    """Name a document's folder: `<prefix><yyyy>/<mm>/<dd>/<id>/`, by the date in UTC."""
    return f"{prefix}{datetime.now(UTC):%Y/%m/%d}/{unique_id}/"


def pack(
    folder: str,
    result_json: str,
    pages: Sequence[PageResult],
    source: StoredFile | None,
    metadata: Mapping[str, str],
) -> Parcel:
    """Put together what is stored: the answer, the Markdown with its pictures, and perhaps the source."""
    markdown, pictures = _illustrated(pages)
    files = [
        StoredFile("result.json", result_json.encode(), _JSON),
        StoredFile("result.md", markdown.encode(), _MARKDOWN),
        *(StoredFile(path, picture, _JPEG) for path, picture in pictures.items()),
    ]
    return Parcel(folder, tuple(files if source is None else [*files, source]), metadata)


def metadata_of(sha256: str, engine: Engine, request_id: str) -> dict[str, str]:
    """Say of every file which document it is of, and who read it."""
    return {
        "source-sha256": sha256,
        "engine": engine.name,
        "engine-version": engine.version or "",
        "service-version": __version__,
        "request-id": request_id,
    }


def source_file(data: bytes, name: str) -> StoredFile:
    """Return the document as it was sent, under the name that it had, with the extension of what it is."""
    extensions, content_type = _TYPES[identify(data)]
    return StoredFile(f"source/{_file_name(name, extensions)}", data, content_type)


def _illustrated(pages: Sequence[PageResult]) -> tuple[str, dict[str, bytes]]:
    """Join the pages' Markdown; pictures of two pages that have the same path are told apart."""
    pictures: dict[str, bytes] = {}
    texts = []
    for page in pages:
        markdown = page.markdown
        for path, picture in page.images.items():
            own = path if pictures.get(path, picture) == picture else f"page_{page.index}/{path}"
            markdown = markdown.replace(path, own)
            pictures[own] = picture
        texts.append(markdown)
    return PAGE_BREAK.join(filter(None, texts)), pictures


def _file_name(given: str, extensions: Sequence[str]) -> str:
    """Make a file's name of what the caller says: no path, nothing that a file system refuses."""
    name = unicodedata.normalize("NFC", re.split(r"[/\\]", given)[-1])
    name = "".join("_" if _is_awkward(letter) else letter for letter in name).strip(" .") or "document"
    extension = next((known for known in extensions if name.lower().endswith(known)), "")
    stem = name[: len(name) - len(extension)] or "document"
    short = stem.encode()[:_LONGEST_NAME].decode(errors="ignore")
    return short + (extension or extensions[0])


def _is_awkward(letter: str) -> bool:
    # Category C: what is no letter at all, such as controls, halves of pairs, and what XML cannot hold.
    return letter in _NOT_IN_NAMES or unicodedata.category(letter).startswith("C")
