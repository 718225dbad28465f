"""Methods and paths that clients write in another way than the routes."""

import pytest

from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.serving import serving
from tests.http.test_errors import assert_problem
from tests.samples import small_png

pytestmark = pytest.mark.anyio

GETS = ("/", "/ui", "/ui/main.js", "/docs", "/openapi.json", "/health", "/health/live", "/health/ready", "/health/vllm", "/version", "/metrics")  # fmt: skip # noqa: E501


async def test_head_is_answered_like_get_without_the_body() -> None:
    async with serving(ScriptedEngine()) as client:
        for path in GETS:
            get, head = await client.get(path), await client.head(path)
            assert (head.status_code, head.content) == (get.status_code, b""), path
            assert head.headers["content-type"] == get.headers["content-type"] if get.content else True
        # The connection is still in order.
        assert (await client.head("/nowhere")).status_code == 404
        assert (await client.head("/ocr")).status_code == 405


async def test_next_request_follows_a_head_of_a_long_answer() -> None:
    """The client sends it after the headers, while the service would still send the body."""
    async with serving(ScriptedEngine()) as client:
        for _ in range(5):
            head = await client.head("/static-offline-docs/swagger-ui-bundle.js")
            posted = await client.post("/ocr?format=text", files={"file": small_png()})
            assert int(head.headers["content-length"]) > 1_000_000
            assert posted.text == "page 1"


async def test_slash_at_the_end_of_a_path_is_ignored() -> None:
    async with serving(ScriptedEngine()) as client:
        posted = await client.post("/ocr/?format=text", files={"file": small_png()})
        got = [(await client.get(path)).status_code for path in ("/health/", "/health/live//", "/")]
    assert (posted.status_code, posted.text) == (200, "page 1")
    assert got == [200, 200, 307]


async def test_slash_does_not_open_a_path_that_needs_a_key() -> None:
    async with serving(ScriptedEngine(), ocr_api_keys="a-key-of-16-chars") as client:
        assert (await client.post("/ocr/", files={"file": small_png()})).status_code == 401
        assert (await client.get("/health/")).status_code == 200


async def test_wrong_path_and_wrong_method_name_the_documentation() -> None:
    async with serving(ScriptedEngine()) as client:
        unknown, wrong = await client.get("/nowhere"), await client.delete("/ocr")
        wrong_get = await client.delete("/health")
    assert_problem(unknown, 404, "not_found")
    assert_problem(wrong, 405, "method_not_allowed")
    for response in (unknown, wrong):
        assert "/docs" in response.json()["detail"]
    assert (wrong.headers["allow"], wrong_get.headers["allow"]) == ("POST, PUT", "GET, HEAD")


async def test_wrong_path_does_not_name_documentation_that_is_off() -> None:
    async with serving(ScriptedEngine(), ocr_docs=False) as client:
        assert "/docs" not in (await client.get("/nowhere")).json()["detail"]
