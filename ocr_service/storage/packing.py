"""Makes the files that are stored for a result, and names their folder."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from ocr_service import __version__
from ocr_service.core.documents import PAGE_BREAK, PageResult
from ocr_service.core.engine import Engine
from ocr_service.decoding.signatures import identify
from ocr_service.storage.bundles import Bundle, FileToStore

_JSON = "application/json; charset=utf-8"
_MARKDOWN = "text/markdown; charset=utf-8"
_JPEG = "image/jpeg"

# File type as named by `identify` → its extensions, the usual one first, and its content type.
_TYPES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "PDF": ((".pdf",), "application/pdf"),
    "PNG": ((".png",), "image/png"),
    "JPEG": ((".jpg", ".jpeg"), _JPEG),
    "TIFF": ((".tif", ".tiff"), "image/tiff"),
    "WEBP": ((".webp",), "image/webp"),
    "BMP": ((".bmp",), "image/bmp"),
    "GIF": ((".gif",), "image/gif"),
    "DIB": ((".dib", ".bmp"), "image/bmp"),
    "HEIF": ((".heic", ".heif"), "image/heic"),
    "AVIF": ((".avif",), "image/avif"),
    "JPEG2000": ((".jp2", ".j2k", ".j2c", ".jpc", ".jpx", ".jpf"), "image/jp2"),
}
_RESERVED = set('<>:"|?*')
# Bytes of a name without its extension; file systems allow 255 in all.
_MAX_STEM_BYTES = 180


def folder_of(prefix: str, unique_id: str, sent: float | None = None) -> str:
    """Return the folder of a document: `<prefix><yyyy>/<mm>/<dd>/<id>/`; the date is UTC.

    sent: time of the document, in seconds since 1970; None for now.
    """
    day = datetime.now(UTC) if sent is None else datetime.fromtimestamp(sent, UTC)
    return f"{prefix}{day:%Y/%m/%d}/{unique_id}/"


def pack(
    folder: str,
    result_json: bytes,
    pages: Iterable[PageResult],
    rendered: Sequence[FileToStore],
    source: FileToStore | None,
    metadata: Mapping[str, str],
) -> Bundle:
    """Bundle the JSON, the Markdown with its images, other forms of the result and, if given, the source."""
    markdown, images = _markdown_and_images(pages)
    files = [
        FileToStore("result.json", result_json, _JSON),
        FileToStore("result.md", markdown.encode(), _MARKDOWN),
        *(FileToStore(path, image, _JPEG) for path, image in images.items()),
    ]
    names = {file.name for file in files}
    files += [file for file in rendered if file.name not in names]
    return Bundle(folder, tuple(files if source is None else [*files, source]), metadata)


def metadata_of(sha256: str, engine: Engine, request_id: str) -> dict[str, str]:
    """Return the metadata of every file of a document. sha256: of the document, in hex."""
    return {
        "source-sha256": sha256,
        "engine": engine.name,
        "engine-version": engine.version or "",
        "service-version": __version__,
        "request-id": request_id,
    }


def source_file(data: bytes, name: str) -> FileToStore:
    """Return the document under its own name, with the extension of its detected type."""
    extensions, content_type = _TYPES[identify(data)]
    return FileToStore(f"source/{_file_name(name, extensions)}", data, content_type)


def _markdown_and_images(pages: Iterable[PageResult]) -> tuple[str, dict[str, bytes]]:
    """Join the Markdown of the pages; if two pages use one path for different images, rename the second."""
    images: dict[str, bytes] = {}
    texts = []
    for page in pages:
        markdown = page.markdown
        for path, image in page.images.items():
            unique = path if images.get(path, image) == image else f"page_{page.index}/{path}"
            markdown = markdown.replace(path, unique)
            images[unique] = image
        texts.append(markdown)
    return PAGE_BREAK.join(filter(None, texts)), images


def _file_name(given: str, extensions: Sequence[str]) -> str:
    """Make a safe file name: the last part of the given path, without characters that file systems refuse."""
    name = unicodedata.normalize("NFC", re.split(r"[/\\]", given)[-1])
    name = "".join("_" if _is_unsafe(character) else character for character in name).strip(" .")
    name = name or "document"
    extension = next((known for known in extensions if name.lower().endswith(known)), "")
    stem = name[: len(name) - len(extension)] or "document"
    short = stem.encode()[:_MAX_STEM_BYTES].decode(errors="ignore")
    return short + (extension or extensions[0])


def _is_unsafe(character: str) -> bool:
    # Category C: control characters, surrogates and others, some of which XML cannot encode.
    return character in _RESERVED or unicodedata.category(character).startswith("C")
