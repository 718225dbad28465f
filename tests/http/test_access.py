"""Access control: accepted keys, the headers that carry them, and the protected paths; CORS."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from ocr_service.security.api_keys import ApiKeys, parse_keys, parse_origins
from server import create_app
from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.serving import serving
from tests.http.test_errors import HEAD, assert_problem
from tests.samples import small_png
from tests.settings import settings_of

pytestmark = pytest.mark.anyio

KEYS: dict[str, Any] = {"ocr_api_keys": "first-key, second-key"}
FIRST = {"X-API-Key": "first-key"}


async def read(client: httpx.AsyncClient, *headers: tuple[str, str]) -> httpx.Response:
    return await client.post("/ocr", files={"file": small_png()}, headers=list(headers))


@pytest.mark.parametrize(
    "header",
    [
        ("Authorization", "Bearer first-key"),
        ("Authorization", "bearer second-key"),
        ("Authorization", "token first-key"),
        ("Authorization", "TOKEN   second-key"),
        ("X-API-Key", "first-key"),
        ("x-api-key", "second-key"),
    ],
    ids=str,
)
async def test_valid_key_in_each_supported_header_is_accepted(header: tuple[str, str]) -> None:
    async with serving(ScriptedEngine(), **KEYS) as client:
        response = await read(client, header)
    assert response.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Authorization", "Bearer third-key")],
        [("Authorization", "Bearer first-ke")],
        [("Authorization", "Bearer first-key2")],
        [("Authorization", "Bearer FIRST-KEY")],
        [("Authorization", "Bearer")],
        [("Authorization", "first-key")],
        [("Authorization", "Basic first-key")],
        [("Authorization", "Bearer first-key, second-key")],
        [("X-API-Key", "")],
        [("X-API-Key", "first-key, second-key")],
        [("X-API-Key", "Bearer first-key")],
        [("Cookie", "X-API-Key=first-key")],
    ],
    ids=str,
)
async def test_missing_or_invalid_key_is_refused(headers: list[tuple[str, str]]) -> None:
    engine = ScriptedEngine()
    async with serving(engine, **KEYS) as client:
        response = await read(client, *headers)
        in_query = await client.post("/ocr?api_key=first-key", files={"file": small_png()})
    assert_problem(response, 401, "unauthorized")
    assert response.headers["www-authenticate"].startswith("Bearer ")
    assert in_query.status_code == 401
    assert not engine.seen
    for key in ("first-key", "second-key", "third-key"):
        assert key not in response.text


async def test_unrelated_bearer_token_does_not_override_a_valid_key() -> None:
    async with serving(ScriptedEngine(), **KEYS) as client:
        response = await read(client, ("Authorization", "Bearer the-platforms"), ("X-API-Key", "first-key"))
    assert response.status_code == 200


async def test_without_configured_keys_every_request_is_accepted() -> None:
    async with serving(ScriptedEngine()) as client:
        assert (await read(client, ("Authorization", "Bearer whatever"))).status_code == 200
        assert (await client.get("/nowhere")).status_code == 404


ASSET = "/static-offline-docs/swagger-ui.css"
OPEN = ["/health", "/health/vllm", "/version", "/ui/", "/ui/main.js", "/docs", "/openapi.json", ASSET]


@pytest.mark.parametrize("path", OPEN)
async def test_open_path_needs_no_key(path: str) -> None:
    async with serving(ScriptedEngine(), **KEYS) as client:
        response = await client.get(path)
    # The scripted engine has no vLLM.
    assert response.status_code == (503 if path == "/health/vllm" else 200)


CLOSED = ["/ocr", "/ocr/", "//ocr", "/nowhere", "/metrics", "/healthy", "/version/", "/docs/", "/static"]


@pytest.mark.parametrize("path", CLOSED)
async def test_other_paths_need_a_key_even_if_they_do_not_exist(path: str) -> None:
    async with serving(ScriptedEngine(), **KEYS) as client:
        for method in ("GET", "POST", "OPTIONS"):
            refused = await client.request(method, f"{client.base_url}{path}".replace(":///", "://"))
            assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
        known = await client.get(path, headers=FIRST)
    # With a key, the slash at the end is ignored.
    is_found = path in ("/metrics", "/version/", "/docs/")
    assert known.status_code in ((200,) if is_found else (307, 404, 405))


async def test_metrics_are_open_if_the_setting_allows_it() -> None:
    async with serving(ScriptedEngine(), ocr_metrics_public=True, **KEYS) as client:
        assert (await client.get("/metrics")).status_code == 200
        assert (await client.get("/ocr")).status_code == 401


async def test_disabled_documentation_paths_need_a_key() -> None:
    async with serving(ScriptedEngine(), ocr_docs=False, **KEYS) as client:
        for path in ("/", "/ui", "/ui/", "/ui/main.js", "/docs", "/openapi.json", ASSET):
            assert (await client.get(path)).status_code == 401
            assert (await client.get(path, headers=FIRST)).status_code == 404


async def test_body_is_not_read_before_the_key_is_checked() -> None:
    """A client that waits for 100-continue never sends its document."""
    async with serving(ScriptedEngine(), **KEYS) as client:
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        writer.write(HEAD + b"Content-Length: 1000000\r\nExpect: 100-continue\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 401")
        writer.close()


async def test_connection_is_reusable_after_a_refused_document() -> None:
    async with serving(ScriptedEngine(), **KEYS) as client:
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        body = bytes(5_000_000)
        writer.write(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        writer.write(b"GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answers = await reader.read()
        writer.close()
    assert answers.startswith(b"HTTP/1.1 401") and b"HTTP/1.1 200 OK" in answers


async def test_keys_from_file_and_variable_are_combined(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("\n  in-file \r\n\nalso-in-file\n")
    async with serving(ScriptedEngine(), ocr_api_keys_file=file, **KEYS) as client:
        for key in ("in-file", "also-in-file", "first-key"):
            assert (await read(client, ("X-API-Key", key))).status_code == 200
        assert (await read(client, ("X-API-Key", "in-file also-in-file"))).status_code == 401


@pytest.mark.parametrize("text", ["", " ,\n, ", "two words", "ключ", "tab\there", "a,b c"])
def test_invalid_key_list_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(ValueError) as refusal:
        parse_keys(text)
    assert not text.strip(" ,\n") or text not in str(refusal.value)


def test_keys_are_hidden_in_repr() -> None:
    keys = ApiKeys(["first-key"])
    assert keys.accepts(b"first-key") and not keys.accepts(b"first-key ") and not keys.accepts(b"")
    shown = repr(keys) + repr(vars(keys)) + repr(settings_of(**KEYS)) + settings_of(**KEYS).model_dump_json()
    assert "first" not in shown


def schemes(document: dict[str, Any]) -> Any:
    return document["components"].get("securitySchemes")


def test_openapi_describes_the_key_headers_if_keys_are_configured() -> None:
    assert schemes(create_app(settings_of(), ScriptedEngine()).openapi()) is None
    document = create_app(settings_of(**KEYS), ScriptedEngine()).openapi()
    assert {(each["type"], each.get("scheme"), each.get("name")) for each in schemes(document).values()} == {
        ("http", "bearer", None),
        ("apiKey", None, "X-API-Key"),
    }
    guarded = {path: one.get("security") for path, ways in document["paths"].items() for one in ways.values()}
    assert guarded["/ocr"] == [{"bearer": []}, {"api_key": []}]
    assert guarded["/health"] is None and guarded["/version"] is None
    assert "unauthorized" in document["paths"]["/ocr"]["post"]["responses"]["401"]["description"]


ORIGIN = "https://app.example.com"


async def test_cors_allows_a_configured_origin() -> None:
    async with serving(
        ScriptedEngine(), ocr_cors_origins=f"{ORIGIN}, http://localhost:3000", **KEYS
    ) as client:
        preflight = await client.options("/ocr", headers={
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,x-request-id",
        })  # fmt: skip
        read = await client.post("/ocr", files={"file": small_png()}, headers={"Origin": ORIGIN, **FIRST})
        refused = await client.post("/ocr", headers={"Origin": ORIGIN})
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-headers"] == "authorization,x-request-id"
    assert (read.status_code, refused.status_code) == (200, 401)
    for response in (preflight, read, refused):
        assert response.headers["access-control-allow-origin"] == ORIGIN
        assert "access-control-allow-credentials" not in response.headers
    exposed = read.headers["access-control-expose-headers"]
    assert set(exposed.split(", ")) >= {"X-Request-ID", "X-Storage-Status", "X-Storage-Folder", "ETag"}


class _Broken(ScriptedEngine):
    def check(self, options: object) -> None:
        raise ZeroDivisionError


async def test_cors_allows_reading_an_internal_error() -> None:
    async with serving(_Broken(), ocr_cors_origins="*") as client:
        response = await client.post("/ocr", files={"file": small_png()}, headers={"Origin": ORIGIN})
    assert_problem(response, 500, "internal_error")
    assert response.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("settings", [{}, {"ocr_cors_origins": "https://other.example.com"}], ids=str)
async def test_cors_denies_other_origins(settings: dict[str, Any]) -> None:
    async with serving(ScriptedEngine(), **settings) as client:
        response = await client.get("/version", headers={"Origin": ORIGIN})
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize(
    "wrong", ["app.example.com", "https://a.example/path", "https://*.example.com", "null"]
)
def test_invalid_origin_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="an origin must be"):
        parse_origins(f"https://app.example.com, {wrong}")
