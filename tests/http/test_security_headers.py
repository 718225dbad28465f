"""Security and cache headers of every response."""

import re
from base64 import b64encode
from hashlib import sha256
from typing import Any

import httpx
import pytest

from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.serving import serving
from tests.samples import small_png

pytestmark = pytest.mark.anyio

JSON_POLICY = "default-src 'none'; frame-ancestors 'none'"


class _Broken(ScriptedEngine):
    def check(self, options: object) -> None:
        raise ZeroDivisionError


def assert_security_headers(response: httpx.Response) -> None:
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-frame-options"] == "DENY"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health", 200),
        ("GET", "/nowhere", 404),
        ("DELETE", "/ocr", 405),
        ("POST", "/ocr", 422),
        ("OPTIONS", "/ocr", 405),
    ],
)
async def test_every_response_has_security_headers(method: str, path: str, status: int) -> None:
    async with serving(ScriptedEngine()) as client:
        response = await client.request(method, path)
    assert response.status_code == status
    assert_security_headers(response)
    assert response.headers["content-security-policy"] == JSON_POLICY
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("fields", [{}, {"format": "markdown"}, {"accept": "application/x-ndjson"}], ids=str)
async def test_results_are_not_cacheable(fields: dict[str, str]) -> None:
    async with serving(ScriptedEngine()) as client:
        headers = {"Accept": fields.pop("accept", "*/*")}
        response = await client.post("/ocr", files={"file": small_png()}, data=fields, headers=headers)
    assert response.status_code == 200
    assert_security_headers(response)
    assert response.headers["cache-control"] == "no-store"


async def test_errors_have_security_headers() -> None:
    settings: dict[str, Any] = {"ocr_api_keys": "first-key"}
    async with serving(_Broken(), **settings) as client:
        refused = await client.post("/ocr")
        failed = await client.post("/ocr", files={"file": small_png()}, headers={"X-API-Key": "first-key"})
    assert (refused.status_code, failed.status_code) == (401, 500)
    for response in (refused, failed):
        assert_security_headers(response)


async def test_documentation_policy_allows_only_its_own_scripts() -> None:
    async with serving(ScriptedEngine()) as client:
        page = await client.get("/docs")
        script = await client.get("/static-offline-docs/swagger-ui-bundle.js")
    assert_security_headers(page)
    (inline,) = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    digest = b64encode(sha256(inline.encode()).digest()).decode()
    policy = page.headers["content-security-policy"]
    assert f"script-src 'self' 'sha256-{digest}';" in policy
    assert "unsafe-inline" not in policy.partition("style-src")[0]
    assert page.headers["cache-control"] == "no-store"
    assert script.headers["cache-control"] == "max-age=3600"


async def test_page_for_people_allows_only_its_own_files() -> None:
    async with serving(ScriptedEngine()) as client:
        page = await client.get("/", follow_redirects=True)
        script = await client.get("/ui/main.js")
        known = await client.get("/ui/main.js", headers={"If-None-Match": script.headers["etag"]})
        missing = [(await client.get(path)).status_code for path in ("/ui/nothing.js", "/ui/../server.py")]
    assert_security_headers(page)
    assert "script-src 'self'; style-src 'self';" in page.headers["content-security-policy"]
    assert not re.search(r"<script(?![^>]* src=)|<style| style=| on[a-z]+=", page.text)
    assert [each.headers["cache-control"] for each in (page, script)] == ["no-cache"] * 2
    assert (known.status_code, missing) == (304, [404, 404])


async def test_documentation_can_be_disabled() -> None:
    async with serving(ScriptedEngine(), ocr_docs=False) as client:
        for path in ("/", "/ui/", "/docs", "/openapi.json", "/redoc", "/static-offline-docs/swagger-ui.css"):
            assert (await client.get(path)).status_code == 404
        assert (await client.post("/ocr", files={"file": small_png()})).status_code == 200
