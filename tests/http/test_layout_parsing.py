"""The PaddleX API over HTTP: sources of documents, error format, storing and limits."""

import json
from base64 import b64encode
from typing import Any

import httpx
import pytest
from PIL import Image

from ocr_service.api.requests.json_outline import Outline
from ocr_service.api.requests.long_strings import decode_document, extract_long_strings
from ocr_service.core.engine import Engine
from ocr_service.core.options import Options
from ocr_service.engines.paddleocr_vl.options import PaddleOcrVlOptions
from tests.fakes.absent_engine import AbsentEngine
from tests.fakes.memory_storage import MemoryStorage
from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.peers import answer, peer, reply_with
from tests.http.serving import serving
from tests.samples import encoded, pdf_of_text, pdf_with_broken_page, small_png, tiff_of_empty_pages

pytestmark = pytest.mark.anyio

MIB = 2**20


def base64(data: bytes) -> str:
    return b64encode(data).decode()


async def post(body: Any, engine: Engine | None = None, /, **settings: Any) -> httpx.Response:
    async with serving(engine or ScriptedEngine(), **settings) as client:
        return await client.post("/layout-parsing", json=body)


def assert_error(response: httpx.Response, status: int, message: str = "") -> None:
    body = response.json()
    assert (response.status_code, body["errorCode"]) == (status, status), body
    assert body.keys() == {"logId", "errorCode", "errorMsg"}
    assert message in body["errorMsg"]
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["X-Request-ID"]


async def test_image_is_parsed() -> None:
    engine = ScriptedEngine()
    response = await post({"file": base64(small_png()), "fileType": 1}, engine)
    assert response.json() == {
        "logId": response.headers["X-Request-ID"],
        "errorCode": 0,
        "errorMsg": "Success",
        "result": {
            "layoutParsingResults": [
                {
                    "prunedResult": {
                        "page_count": None,
                        "width": 40,
                        "height": 30,
                        "model_settings": {"use_doc_preprocessor": False, "use_layout_detection": False},
                        "parsing_res_list": [
                            {
                                "block_label": "text",
                                "block_content": "page 1",
                                "block_bbox": [1, 2, 3, 4],
                                "block_id": 0,
                                "block_order": 1,
                                "group_id": 0,
                            }
                        ],
                    },
                    "markdown": {"text": "**page 1**", "images": {}},
                }
            ],
            "dataInfo": {"width": 40, "height": 30, "type": "image"},
        },
    }
    # Visualization is the default.
    assert engine.options == [Options(visualize=True, engine=PaddleOcrVlOptions())]


@pytest.mark.parametrize(
    ("data", "info"),
    [
        (
            pdf_of_text(["a", "b"]),
            {"type": "pdf", "numPages": 2, "pages": [{"width": 595, "height": 842}] * 2},
        ),
        (tiff_of_empty_pages(2), {"type": "tiff", "numPages": 2}),
        (tiff_of_empty_pages(1), {"type": "image"}),
    ],
    ids=["PDF", "TIFF of two pages", "TIFF of one"],
)
async def test_data_info_describes_the_document(data: bytes, info: dict[str, Any]) -> None:
    response = await post({"file": base64(data)})
    assert info.items() <= response.json()["result"]["dataInfo"].items()


def wrapped(data: bytes) -> str:
    """Encode as MIME base64, with a line break after 76 characters."""
    text = base64(data)
    return "\r\n".join(text[start : start + 76] for start in range(0, len(text), 76))


NOISE = encoded(Image.effect_noise((600, 600), 90), "PNG")


@pytest.mark.parametrize("data", [small_png(), NOISE], ids=["short", "long"])
@pytest.mark.parametrize("form", ["plain", "with line ends", "with escaped slashes"])
@pytest.mark.parametrize("path", ["/layout-parsing", "/ocr"])
async def test_base64_variants_are_accepted(path: str, form: str, data: bytes) -> None:
    text = wrapped(data) if form == "with line ends" else base64(data)
    body = json.dumps({"file": text})
    if form == "with escaped slashes":
        body = body.replace("/", "\\/")
    async with serving(ScriptedEngine()) as client:
        response = await client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 200, response.text


@pytest.mark.parametrize("path", ["/layout-parsing", "/ocr"])
async def test_file_may_be_a_url(path: str) -> None:
    async with peer(reply_with(answer(pdf_of_text(["a"])))) as other:
        opened: dict[str, Any] = {"ocr_url_allowlist": "127.0.0.1", "ocr_url_ports": f"{other.port}"}
        async with serving(ScriptedEngine(), **opened) as client:
            response = await client.post(path, json={"file": f"{other.url}/a.pdf"})
        async with serving(ScriptedEngine()) as client:
            refused = await client.post(path, json={"file": f"{other.url}/a.pdf"})
    assert response.status_code == 200, response.text
    assert refused.status_code == 422
    assert other.connections == 1


async def test_log_id_of_the_client_is_returned() -> None:
    for body in ({"file": base64(small_png())}, {"file": "!"}, {"file": 5}):
        response = await post({**body, "logId": "mine"})
        assert response.json()["logId"] == "mine"
    response = await post({"file": base64(small_png()), "logId": ""})
    assert response.json()["logId"] == response.headers["X-Request-ID"]


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"{", 400, "JSON"),
        (b'{"file": "' + b"\\ud800" * 20_000 + b'"}', 400, "JSON"),
        (b'{"file": "' + b"\\x" * 70_000 + b'"}', 400, "JSON"),
        (b'{"file": "a", "file": "b"}', 422, "twice"),
        (b'{"file": ""}', 422, "no bytes"),
        (b'{"file": "ftp://example.com/a.pdf"}', 422, ""),
        (b'{"file": "s3://bucket/a.pdf"}', 422, ""),
        (b'{"file": "%s"}' % (b"A" * (2 * MIB)), 413, "1 MiB"),
        (b'{"file": "%s"}' % (b"A" * (MIB + MIB // 2)), 413, "1 MiB"),
        (b'{"file": "AAAA", "x": [%s0]}' % (b"0," * MIB), 413, "10000 values"),
        (b'{"file": "AAAA", "x": %s0}' % (b" " * MIB), 413, "1 MiB"),
        (b'{"file": "' + b"A" * MIB, 413, "MiB"),
        (b'{"file": "QQ", "topP": 5}', 422, "topP: "),
    ],
    ids=range(13),
)
async def test_invalid_body_is_refused(body: bytes, status: int, message: str) -> None:
    headers = {"Content-Type": "application/json"}
    async with serving(ScriptedEngine(), ocr_max_upload_mb=1) as client:
        assert_error(await client.post("/layout-parsing", content=body, headers=headers), status, message)


async def test_errors_outside_the_route_have_the_paddlex_format() -> None:
    async with serving(ScriptedEngine()) as client:
        for path in ("/layout-parsing", "/restructure-pages"):
            assert_error(await client.get(path), 405)
        assert (await client.get("/layout-parsin")).json()["code"] == "not_found"
    assert_error(await post({"file": base64(small_png())}, AbsentEngine()), 503)


async def test_unreadable_page_has_an_error() -> None:
    response = await post({"file": base64(pdf_with_broken_page(2, 3))})
    result = response.json()["result"]
    errors = [page["prunedResult"].get("error") for page in result["layoutParsingResults"]]
    assert response.status_code == 200
    assert {error["code"] for error in errors if error} == {"broken_document"}
    assert any(error is None for error in errors)
    assert {"width": 0, "height": 0} in result["dataInfo"]["pages"]


async def test_result_is_stored() -> None:
    storage = MemoryStorage()
    async with serving(ScriptedEngine(), storage) as client:
        response = await client.post(
            "/layout-parsing", json={"file": base64(small_png()), "visualize": False}
        )
    folder = response.headers["X-Storage-Folder"]
    assert response.headers["X-Storage-Status"] == "stored"
    assert f"{folder}result.json" in storage.objects


async def test_cache_is_shared_with_ocr() -> None:
    engine = ScriptedEngine()
    async with serving(engine, ocr_cache_lifetime=60) as client:
        await client.post("/ocr", files={"file": small_png()})
        for _ in range(2):
            body = {
                "file": base64(small_png()),
                "visualize": False,
                "mergeTables": True,
                "restructurePages": False,
            }
            assert (await client.post("/layout-parsing", json=body)).status_code == 200
        assert len(engine.seen) == 1
        assert (await client.post("/layout-parsing", json={**body, "visualize": True})).status_code == 200
    assert len(engine.seen) == 2


async def test_options_reach_the_engine() -> None:
    engine = ScriptedEngine()
    fields = {
        "useLayoutDetection": False,
        "layoutThreshold": {"1": 0.5},
        "layoutUnclipRatio": {"1": [1.5, 2], "2": 1.25},
        "layoutMergeBboxesMode": {"3": "large"},
        "markdownIgnoreLabels": ["footer"],
        "vlmExtraArgs": {"table_max_pixels": 5},
        "topP": 0.5,
        "prettifyMarkdown": False,
        "visualize": False,
        "outputFormats": ["docx"],
    }
    await post({"file": base64(small_png()), **fields}, engine)
    assert engine.options == [
        Options(
            word_documents=True,
            engine=PaddleOcrVlOptions(
                use_layout_detection=False,
                layout_threshold={1: 0.5},
                layout_unclip_ratio={1: (1.5, 2), 2: (1.25, 1.25)},
                layout_merge_bboxes_mode={3: "large"},
                markdown_ignore_labels=("footer",),
                vlm_extra_args={"table_max_pixels": 5},
                top_p=0.5,
                prettify_markdown=False,
            ),
        )
    ]


async def test_restructure_beyond_the_page_limit_is_refused() -> None:
    pruned_result: dict[str, Any] = {"model_settings": {}, "parsing_res_list": []}
    async with serving(ScriptedEngine(), ocr_max_pages=2) as client:
        for count, status in [(2, 200), (3, 422)]:
            body = {"pages": [{"prunedResult": pruned_result}] * count}
            response = await client.post("/restructure-pages", json=body)
            assert response.status_code == status, response.text
    assert_error(response, 422, "the limit is 2")


@pytest.mark.parametrize("concatenate", [False, True])
async def test_restructure_of_no_pages_returns_no_pages(concatenate: bool) -> None:
    async with serving(ScriptedEngine()) as client:
        body = {"pages": [], "concatenatePages": concatenate}
        response = await client.post("/restructure-pages", json=body)
    assert response.json()["result"] == {"layoutParsingResults": []}


async def test_restructure_returns_long_texts_completely() -> None:
    text = "word\n" * 100_000
    block = {"block_label": "text", "block_content": text, "block_bbox": [1, 2, 3, 4]}
    pruned_result = {"model_settings": {}, "parsing_res_list": [block], "note": text}
    async with serving(ScriptedEngine()) as client:
        response = await client.post("/restructure-pages", json={"pages": [{"prunedResult": pruned_result}]})
    [page] = response.json()["result"]["layoutParsingResults"]
    assert page["prunedResult"]["parsing_res_list"] == [block]
    assert page["prunedResult"]["note"] == text


async def test_language_is_an_alias_of_lang() -> None:
    engine = ScriptedEngine()
    async with serving(engine) as client:
        requests: list[dict[str, Any]] = [
            {"files": {"file": small_png()}, "data": {"language": "eng"}},
            {"files": {"file": small_png()}, "params": {"language": "eng"}},
            {"json": {"file": base64(small_png()), "language": "eng"}},
        ]
        for request in requests:
            assert (await client.post("/ocr", **request)).status_code == 200
        both = {"language": "eng", "lang": "rus"}
        refused = await client.post("/ocr", files={"file": small_png()}, data=both)
        assert refused.status_code == 422
    assert [options.lang for options in engine.options] == ["eng"] * 3


def test_long_base64_is_decoded_completely() -> None:
    """The result does not depend on the length or on the piece boundaries."""
    for size in (1, 2, 3, 2**16, 2**20 - 1, 2**20, 3 * 2**20 + 5):
        data = bytes(range(256)) * (size // 256 + 1)
        for text in (base64(data[:size]), wrapped(data[:size])):
            body = json.dumps({"a": 'x"\\', "file": text}).encode()
            rest, strings = extract_long_strings(body, MIB, Outline(10))
            value = json.loads(rest)
            assert value["a"] == 'x"\\'
            assert decode_document(strings.content(value["file"]), size) == data[:size]
            assert len(rest) < 2**17


LIST, LONG_LIST = [1] * 9_000, [1] * 200_000
OBJECT, LONG_OBJECT = ({f"a{number}": 2 for number in range(count)} for count in (4_000, 50_000))
LONG_BLOCKS = {"parsing_res_list": LONG_LIST}
BLOCK = {"block_label": "text", "block_content": "", "block_bbox": [1, 2, 3, 4]}
MANY_BLOCKS = {"parsing_res_list": [BLOCK] * 10_001}
PRUNED_RESULT: dict[str, Any] = {"model_settings": {}, "parsing_res_list": []}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/ocr", {"file": "YQ==", "markdown_ignore_labels": LIST}),
        ("/layout-parsing", {"file": "YQ==", "markdownIgnoreLabels": LIST}),
        ("/layout-parsing", {"file": "YQ==", "layoutThreshold": OBJECT}),
        ("/layout-parsing", {"file": "YQ==", "outputFormats": LIST}),
        ("/restructure-pages", {"pages": LONG_LIST}),
        ("/restructure-pages", {"pages": [], "outputFormats": LONG_LIST}),
        (
            "/restructure-pages",
            {"pages": [{"prunedResult": PRUNED_RESULT | LONG_BLOCKS}]},
        ),
        ("/restructure-pages", {"pages": [{"prunedResult": PRUNED_RESULT | MANY_BLOCKS}]}),
        ("/restructure-pages", {"pages": [{"prunedResult": PRUNED_RESULT, "markdownImages": LONG_OBJECT}]}),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_many_invalid_values_give_a_short_error(path: str, body: Any) -> None:
    """An error for each of a million values would take gigabytes and block the event loop."""
    async with serving(ScriptedEngine()) as client:
        response = await client.post(path, json=body)
    assert 400 <= response.status_code < 500
    assert len(response.content) < 1000
