"""`/ui`: the page for people, and its files; only with `OCR_DOCS=true`."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from ocr_service.api.answers.etags import is_known
from ocr_service.ui import FOLDER

router = APIRouter(include_in_schema=False)

_PAGE = "index.html"
_MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
# Pictures of pages are blobs, and the HTML of a page has its pictures as data.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    media_type: str
    tag: str

    @classmethod
    def of(cls, path: Path) -> "_File":
        body = path.read_bytes()
        return cls(body, _MEDIA_TYPES[path.suffix], f'"{sha256(body).hexdigest()[:16]}"')


# Relative addresses, because a proxy may serve the service below a path that it does not name.
@router.get("/")
async def root() -> RedirectResponse:
    """Redirect to the page."""
    return RedirectResponse("ui/")


@router.get("/ui")
async def page(request: Request) -> Response:
    """Serve the page at `/ui/`, so that the addresses in it are relative to its folder."""
    # The path of the scope has lost its slash.
    if not request.scope["raw_path"].endswith(b"/"):
        return RedirectResponse("ui/")
    return await file(request, _PAGE)


@router.get("/ui/{path:path}")
async def file(request: Request, path: str) -> Response:
    """Serve a file. A browser asks each time whether it changed, so an upgrade never mixes two releases."""
    found = _files().get(path)
    if found is None:
        raise HTTPException(404)
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache", "ETag": found.tag}
    if is_known(found.tag, request.headers.getlist("if-none-match")):
        return Response(status_code=304, headers=headers)
    return Response(found.body, 200, headers, found.media_type)


@cache
def _files() -> Mapping[str, _File]:
    """Return the files by their path in the folder."""
    return {str(path.relative_to(FOLDER)): _File.of(path) for path in FOLDER.rglob("*.*")}
