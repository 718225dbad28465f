"""Swagger UI and the OpenAPI document; only with `OCR_DOCS=true`."""

import json
import re
from base64 import b64encode
from functools import lru_cache
from hashlib import sha256

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse

from ocr_service.api.paths import ASSETS

router = APIRouter(include_in_schema=False)


# Allows the page's files, its one inline script, and requests to this service. Swagger UI also needs inline
# styles, and icons as data URLs.
_POLICY = (
    "default-src 'none'; script-src 'self' 'sha256-{script}'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """Serve Swagger UI, without files from other hosts."""
    root_path = request.scope.get("root_path", "")
    page = get_swagger_ui_html(
        openapi_url=f"{root_path}{request.app.openapi_url}",
        title=request.app.title,
        swagger_js_url=f"{root_path}{ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{root_path}{ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{root_path}{ASSETS}/favicon.png",
    )
    (script,) = _SCRIPT.findall(page.body)
    page.headers["Content-Security-Policy"] = _POLICY.format(
        script=b64encode(sha256(script).digest()).decode()
    )
    return page


@router.get("/openapi.json")
async def description(request: Request) -> Response:
    """Serve the OpenAPI document."""
    root_path = request.scope.get("root_path", "")
    return Response(_description(request.app, root_path), media_type="application/json")


@lru_cache(maxsize=1)
def _description(app: FastAPI, root_path: str) -> bytes:
    """Write the JSON of the document once, because that takes 6 ms."""
    servers = {"servers": [{"url": root_path}]} if root_path else {}
    return json.dumps({**app.openapi(), **servers}, ensure_ascii=False, separators=(",", ":")).encode()
