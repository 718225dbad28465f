"""Options of PaddleOCR-VL: parsing, values, and refusal by Tesseract."""

from dataclasses import fields, replace
from typing import Any

import pytest

from ocr_service.api.requests.recognition_fields import RecognitionFields
from ocr_service.core.documents import Block, Page, PageResult
from ocr_service.core.errors import OptionNotSupported, VlmTimeout
from ocr_service.core.options import Options
from ocr_service.engines.paddleocr_vl.options import PaddleOcrVlOptions
from ocr_service.engines.tesseract.engine import TesseractEngine
from ocr_service.engines.tesseract.settings import TesseractSettings
from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.serving import serving
from tests.samples import pdf_of_text, small_png

pytestmark = pytest.mark.anyio


def upload() -> dict[str, bytes]:
    return {"file": small_png()}


def test_every_option_is_a_form_field() -> None:
    own = {field.name for field in fields(PaddleOcrVlOptions)}
    assert set(RecognitionFields.model_fields) == own | {"restructure_pages"}


@pytest.mark.parametrize(
    ("name", "sent", "value"),
    [
        ("use_layout_detection", "false", False),
        ("use_chart_recognition", "true", True),
        ("use_seal_recognition", "1", True),
        ("layout_threshold", "0.4", 0.4),
        ("layout_threshold", '{"21": 0.5}', {21: 0.5}),
        ("layout_unclip_ratio", "1.1", 1.1),
        ("layout_unclip_ratio", "[1.0, 1.2]", (1.0, 1.2)),
        ("layout_unclip_ratio", '{"22": [1.0, 1.2]}', {22: (1.0, 1.2)}),
        ("layout_merge_bboxes_mode", "large", "large"),
        ("layout_merge_bboxes_mode", '{"21": "small"}', {21: "small"}),
        ("layout_shape_mode", "quad", "quad"),
        ("prompt_label", "table", "table"),
        ("markdown_ignore_labels", "number, footer", ("number", "footer")),
        ("markdown_ignore_labels", "none", ()),
        ("markdown_ignore_labels", '["number", "footer"]', ("number", "footer")),
        ("markdown_ignore_labels", "[]", ()),
        ("repetition_penalty", "1.3", 1.3),
        ("max_new_tokens", "512", 512),
        ("vlm_extra_args", '{"table_max_pixels": 5000}', {"table_max_pixels": 5000}),
        ("use_doc_unwarping", "", None),
    ],
)
async def test_value_is_passed_to_the_engine(name: str, sent: str, value: object) -> None:
    engine = ScriptedEngine()
    async with serving(engine) as client:
        response = await client.post("/ocr", files=upload(), data={name: sent})
    assert response.status_code == 200, response.text
    [options] = engine.options
    own = PaddleOcrVlOptions.of(options)
    assert getattr(own, name) == value
    assert replace(own, **{name: None}) == PaddleOcrVlOptions()
    assert replace(options, engine=None) == Options()


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("use_layout_detection", "perhaps"),
        ("layout_threshold", "7"),
        ("layout_threshold", "[0.5]"),
        ("layout_unclip_ratio", "[1.0]"),
        ("layout_merge_bboxes_mode", "both"),
        ("prompt_label", "poem"),
        ("repetition_penalty", "0"),
        ("temperature", "-1"),
        ("top_p", "2"),
        ("max_pixels", "0"),
        ("max_new_tokens", "many"),
        ("max_new_tokens", "[]"),
        ("markdown_ignore_labels", "[1]"),
        ("markdown_ignore_labels", "{}"),
        ("markdown_ignore_labels", "false"),
        ("markdown_ignore_labels", "-1.5"),
        ("markdown_ignore_labels", "[" * 10_000),
        ("vlm_extra_args", "not json"),
        ("vlm_extra_args", '{"table_max_pixels": 0}'),
        ("images", "perhaps"),
    ],
)
async def test_invalid_value_is_refused_and_its_field_named(name: str, sent: str) -> None:
    async with serving(ScriptedEngine()) as client:
        response = await client.post("/ocr", files=upload(), data={name: sent})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert response.json()["detail"].startswith(f"{name}: ")
    assert response.json()["detail"].count(name) == 1


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        ({"use_chart_recognition": True}, ["use_chart_recognition"]),
        ({"use_layout_detection": False, "top_p": 0.5}, ["use_layout_detection", "top_p"]),
        ({"max_new_tokens": 9}, ["max_new_tokens"]),
        ({"markdown_ignore_labels": ()}, []),
        ({"use_chart_recognition": False, "use_layout_detection": True, "layout_shape_mode": "auto"}, []),
    ],
)
async def test_tesseract_refuses_unsupported_options_by_name(
    options: dict[str, Any], refused: list[str]
) -> None:
    engine = TesseractEngine(TesseractSettings(lang="eng"), page_seconds=300)
    await engine.start()
    if not refused:
        engine.check(Options(engine=PaddleOcrVlOptions(**options)))
    else:
        with pytest.raises(OptionNotSupported, match=f"not have {', '.join(refused)};"):
            engine.check(Options(engine=PaddleOcrVlOptions(**options)))
    await engine.close()


async def test_tesseract_refuses_unsupported_common_options() -> None:
    engine = TesseractEngine(TesseractSettings(lang="eng"), page_seconds=300)
    await engine.start()
    options = Options(word_documents=True, restructure_pages=True, engine=PaddleOcrVlOptions(top_p=0.5))
    with pytest.raises(OptionNotSupported, match="not have word_documents, restructure_pages, top_p;"):
        engine.check(options)
    await engine.close()


async def test_pages_are_restructured_on_request() -> None:
    async with serving(ScriptedEngine()) as client:
        response = await client.post(
            "/ocr", files={"file": pdf_of_text(["a"] * 3)}, data={"restructure_pages": "true"}
        )
    assert [page["markdown"] for page in response.json()["pages"]] == [
        f"**page {n}** of 3" for n in (1, 2, 3)
    ]


async def test_stream_cannot_be_restructured() -> None:
    async with serving(ScriptedEngine()) as client:
        response = await client.post(
            "/ocr",
            files=upload(),
            data={"restructure_pages": "true"},
            headers={"Accept": "application/x-ndjson"},
        )
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


class _Illustrated(ScriptedEngine):
    """Returns a page with an image and a failed block."""

    async def recognize(self, page: Page, options: Options) -> PageResult:
        read = await super().recognize(page, options)
        unread = Block("table", (5, 6, 7, 8), "", order=2, failure=VlmTimeout())
        return replace(read, blocks=(*read.blocks, unread), images={"imgs/a.jpg": b"\xff\xd8"})


async def test_response_contains_images_and_failed_blocks() -> None:
    async with serving(_Illustrated()) as client:
        page = (await client.post("/ocr", files=upload())).json()["pages"][0]
        plain = (await client.post("/ocr", files=upload(), data={"images": "false"})).json()["pages"][0]
        stream = await client.post("/ocr", files=upload(), headers={"Accept": "application/x-ndjson"})
    assert page["images"] == {"imgs/a.jpg": "/9g="}
    assert plain["images"] == {}
    assert page["error"]["code"] == "partly_recognized"
    assert [block["error"] and block["error"]["code"] for block in page["blocks"]] == [None, "vlm_timeout"]
    assert '"failed_pages":[1]' in stream.text


async def test_vllm_health_without_a_vllm_engine_is_disabled() -> None:
    async with serving(ScriptedEngine()) as client:
        response = await client.get("/health/vllm")
    assert response.status_code == 503
    assert response.json() == {
        "status": "disabled",
        "url": None,
        "model": None,
        "latency_ms": None,
        "error": None,
        "servers": [],
    }


async def test_invalid_query_value_is_refused_even_if_the_form_overrides_it() -> None:
    async with serving(ScriptedEngine()) as client:
        response = await client.post(
            "/ocr", params={"store": "perhaps"}, files=upload(), data={"store": "false"}
        )
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
