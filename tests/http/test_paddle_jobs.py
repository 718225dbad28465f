"""PaddleOCR's jobs API, with a database in a folder."""

import asyncio
import json
import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from ocr_service.core.documents import Page, PageResult
from ocr_service.core.errors import BrokenDocument
from ocr_service.core.options import Options
from ocr_service.engines.paddleocr_vl.options import PaddleOcrVlOptions
from ocr_service.jobs import links
from tests.fakes.faulty_engine import FaultyEngine
from tests.fakes.gated_engine import GatedEngine
from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.jobs import ended, is_available
from tests.http.peers import answer, peer, reply_with
from tests.http.serving import serving
from tests.running import NO_CERTIFICATES
from tests.samples import pdf_of_text, small_png

pytestmark = pytest.mark.anyio

JOBS = "/api/v2/ocr/jobs"
VL, OCR = {"model": "PaddleOCR-VL-1.6"}, {"model": "PP-OCRv6"}
THREE_PAGES = pdf_of_text(["one", "two", "three"])


PICTURE, DRAWING = "imgs/img_in_image_box_1_2_3_4.jpg", "layout_det_res"


# Line ends of Unicode, at which some clients split the result, and letters that some decode in another way.
RUSSIAN = "Строка\u2028\u2029\x85конец"


class RussianEngine(ScriptedEngine):
    async def recognize(self, page: Page, options: Options) -> PageResult:
        result = await super().recognize(page, options)
        block = replace(result.blocks[0], content=RUSSIAN)
        return replace(result, markdown=RUSSIAN, text=RUSSIAN, blocks=(block,))


class PicturesEngine(ScriptedEngine):
    """An engine whose pages have pictures and drawings."""

    async def recognize(self, page: Page, options: Options) -> PageResult:
        result = await super().recognize(page, options)
        drawings = {"input_img": b"input", DRAWING: b"drawing"} if options.visualize else {}
        return replace(result, images={PICTURE: b"picture"}, drawings=drawings)


async def submitted(
    client: httpx.AsyncClient, document: bytes, fields: dict[str, str], **options: Any
) -> httpx.Response:
    """Submit a document as the SDKs do, when jobs are available."""
    await is_available(client)
    form = {**fields, "optionalPayload": json.dumps(options)}
    return await client.post(JOBS, files={"file": ("three.pdf", document)}, data=form)


async def done(client: httpx.AsyncClient, answer: httpx.Response) -> dict[str, Any]:
    """Return the job of a submit at its end."""
    assert answer.status_code == 200, answer.text
    assert (answer.json()["code"], answer.json()["msg"]) == (0, "Success")
    job = answer.json()["data"]["jobId"]
    await ended(client, job)
    return await job_of(client, job)


async def job_of(client: httpx.AsyncClient, job: str) -> dict[str, Any]:
    data: dict[str, Any] = (await client.get(f"{JOBS}/{job}")).raise_for_status().json()["data"]
    return data


async def fetched(url: str, **headers: str) -> httpx.Response:
    """Fetch an address as the clients do: without a key, and without redirects."""
    async with httpx.AsyncClient(timeout=120, verify=NO_CERTIFICATES) as other:
        return await other.get(url, headers=headers)


async def lines(job: dict[str, Any]) -> Sequence[dict[str, Any]]:
    """Return the lines of a result, fetched without the key of the client."""
    answer = await fetched(job["resultUrl"]["jsonUrl"])
    assert answer.status_code == 200, answer.text
    return [json.loads(line)["result"] for line in answer.text.splitlines()]


async def test_document_is_read_in_the_background(tmp_path: Path) -> None:
    async with serving(ScriptedEngine(), ocr_output_dir=tmp_path, ocr_api_keys="secret") as client:
        client.headers["Authorization"] = "bearer secret"
        job = await done(client, await submitted(client, THREE_PAGES, {**VL, "pageRanges": "2-3"}))
        assert (job["state"], job["failedPages"]) == ("done", [])
        progress = job["extractProgress"]
        assert (progress["totalPages"], progress["extractedPages"]) == (2, 2)
        assert len(progress["startTime"]) == len(progress["endTime"]) == len("2026-03-15 09:41:07")
        first, second = await lines(job)
    [page] = first["layoutParsingResults"]
    assert page["markdown"] == {"text": "**page 2**", "images": {}}
    assert page["prunedResult"]["parsing_res_list"][0]["block_content"] == "page 2"
    assert second["layoutParsingResults"][0]["markdown"]["text"] == "**page 3**"
    assert second["dataInfo"] == {
        "page": 3,
        "numPages": 2,
        "width": 595,
        "height": 842,
        "engine": {"name": "scripted", "version": "1.2.3"},
    }


async def test_document_is_fetched_from_its_url(tmp_path: Path) -> None:
    async with peer(reply_with(answer(THREE_PAGES))) as other:
        settings: dict[str, Any] = {"ocr_url_allowlist": "127.0.0.1", "ocr_url_ports": other.port}
        async with serving(ScriptedEngine(), ocr_output_dir=tmp_path, **settings) as client:
            await is_available(client)
            sent = {"fileUrl": f"{other.url}/a.pdf", **VL, "optionalPayload": {}, "pageRanges": "1"}
            job = await done(client, await client.post(JOBS, json=sent))
            assert len(await lines(job)) == 1


async def test_options_have_both_spellings_and_empty_ones_are_left_out(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    # As Langflow sends them.
    options = {
        "use_doc_unwarping": False,
        "use_table_recognition": True,
        "useChartRecognition": True,
        "temperature": "",
        "topP": None,
        "visualize": False,
    }
    async with serving(engine, ocr_output_dir=tmp_path) as client:
        fields = {"model": "PP-StructureV3"}
        await done(client, await submitted(client, small_png(), fields, **options))
    [seen] = engine.options
    assert seen.engine == PaddleOcrVlOptions(use_doc_unwarping=False, use_chart_recognition=True)
    assert not seen.visualize


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model": "PaddleOCR-VL", "optionalPayload": '{"temperature": 5}'}, "temperature: "),
        ({"model": "PaddleOCR-VL", "optionalPayload": '{"layout_nms": "?"}'}, "layoutNms: "),
        ({"model": "PaddleOCR-VL", "optionalPayload": "[]"}, "optionalPayload: "),
        ({"model": "PaddleOCR-VL", "optionalPayload": "{"}, "optionalPayload: "),
        ({"model": "PaddleOCR-VL", "optionalPayload": '{"password": "a"}'}, "password: a job has none"),
        ({"model": "PaddleOCR-VL", "pageRanges": "9"}, "pageRanges: the document has 3 pages"),
        ({"model": "PaddleOCR-VL", "batchId": "a?b"}, "batchId: "),
        ({"model": "PP-ChatOCRv4"}, "model: "),
        ({}, "model: "),
    ],
)
async def test_wrong_submit_is_refused_in_the_format_of_the_clients(
    tmp_path: Path, fields: dict[str, str], message: str
) -> None:
    async with serving(ScriptedEngine(), ocr_output_dir=tmp_path) as client:
        await is_available(client)
        refused = await client.post(JOBS, files={"file": THREE_PAGES}, data=fields)
        assert (await client.get("/jobs")).json()["jobs"] == []
    assert refused.status_code == 400
    error = refused.json()
    assert (error["code"], error["data"]) == (400, None)
    assert message in error["msg"]


async def test_submit_without_a_document_says_how_to_send_one(tmp_path: Path) -> None:
    async with serving(ScriptedEngine(), ocr_output_dir=tmp_path) as client:
        await is_available(client)
        form: dict[str, Any] = {"files": {"model": (None, "PP-OCRv6")}}
        sent: dict[str, Any]
        for sent in ({"data": VL}, form, {"json": VL}, {"json": []}):
            refused = await client.post(JOBS, **sent)
            assert refused.status_code == 400 and "fileUrl" in refused.json()["msg"]
        long = await client.post(JOBS, json={**VL, "fileUrl": "a" * 100_000})
        assert (long.status_code, long.json()["code"]) == (413, 413)


async def test_lines_are_answered_to_models_that_have_no_blocks(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    async with serving(engine, ocr_output_dir=tmp_path) as client:
        options = {"textDetLimitSideLen": 64, "useTextlineOrientation": True}
        job = await done(client, await submitted(client, small_png(), OCR, **options))
        [line] = await lines(job)
    assert (engine.options[0].words, engine.options[0].visualize) == (True, False)
    [page] = line["ocrResults"]
    assert page["prunedResult"] == {
        "width": 40,
        "height": 30,
        "rec_texts": ["page 1"],
        "rec_scores": [0.5],
        "rec_boxes": [[1, 2, 3, 4]],
        "rec_polys": [[[1, 2], [3, 2], [3, 4], [1, 4]]],
        "dt_polys": [[[1, 2], [3, 2], [3, 4], [1, 4]]],
    }


@pytest.mark.parametrize("fields", [VL, OCR], ids=["blocks", "lines"])
async def test_result_is_ascii_with_one_line_for_each_page(tmp_path: Path, fields: dict[str, str]) -> None:
    async with serving(RussianEngine(), ocr_output_dir=tmp_path) as client:
        job = await done(client, await submitted(client, THREE_PAGES, fields))
        answer = await fetched(job["resultUrl"]["jsonUrl"])
    assert answer.content.isascii() and answer.headers["content-type"].endswith("charset=utf-8")
    pages = [json.loads(line)["result"] for line in answer.text.splitlines()]
    assert len(pages) == 3
    [page] = pages[0].get("ocrResults") or pages[0]["layoutParsingResults"]
    text = page["markdown"]["text"] if "markdown" in page else page["prunedResult"]["rec_texts"][0]
    assert text == RUSSIAN


async def test_pictures_have_addresses_of_their_own(tmp_path: Path) -> None:
    async with serving(PicturesEngine(), ocr_output_dir=tmp_path, ocr_api_keys="secret") as client:
        client.headers["Authorization"] = "Bearer secret"
        job = await done(client, await submitted(client, THREE_PAGES, VL))
        page = (await lines(job))[1]["layoutParsingResults"][0]
        addresses = (page["markdown"]["images"][PICTURE], page["outputImages"][DRAWING], page["inputImage"])
        pictures = [await fetched(address) for address in addresses]
        assert [picture.content for picture in pictures] == [b"picture", b"drawing", b"input"]
        other = addresses[0].replace("/pages/2/", "/pages/1/")
        assert (await fetched(other)).status_code == 403
        without = await done(
            client, await submitted(client, small_png(), VL, returnMarkdownImages=False, visualize=False)
        )
        [line] = await lines(without)
    assert line["layoutParsingResults"][0].keys() == {"prunedResult", "markdown"}
    assert line["layoutParsingResults"][0]["markdown"] == {"text": "**page 1**"}


async def test_addresses_are_signed_and_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(ScriptedEngine(), ocr_output_dir=tmp_path) as client:
        job = await done(client, await submitted(client, small_png(), VL))
        address = job["resultUrl"]["jsonUrl"]
        for changed in (address[:-1] + "?", address.replace("e=1", "e=2"), address.partition("&")[0]):
            refused = await fetched(changed)
            assert refused.status_code in (400, 403) and refused.json()["code"] == refused.status_code
        monkeypatch.setattr(links, "_SECONDS", -1)
        late = await fetched((await job_of(client, job["jobId"]))["resultUrl"]["jsonUrl"])
        assert (late.status_code, "no longer valid" in late.json()["msg"]) == (403, True)


async def test_addresses_are_those_that_the_client_sees(tmp_path: Path) -> None:
    async with serving(ScriptedEngine(), ocr_output_dir=tmp_path / "1") as client:
        job = await done(client, await submitted(client, small_png(), VL))
        seen = {
            "Host": "ocr.example.com:8443",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": "other.example.com",
        }
        data = (await client.get(f"{JOBS}/{job['jobId']}", headers=seen)).json()["data"]
        assert data["resultUrl"]["jsonUrl"].startswith("https://ocr.example.com:8443/api/v2/ocr/results/")
    public: dict[str, Any] = {"ocr_public_url": "https://example.com/ocr/"}
    async with serving(ScriptedEngine(), ocr_output_dir=tmp_path / "2", **public) as client:
        job = await done(client, await submitted(client, small_png(), VL))
        assert job["resultUrl"]["jsonUrl"].startswith("https://example.com/ocr/api/v2/ocr/results/")


async def test_result_is_compressed_if_the_client_accepts_it(tmp_path: Path) -> None:
    async with serving(ScriptedEngine(), ocr_output_dir=tmp_path) as client:
        job = await done(client, await submitted(client, THREE_PAGES, VL))
        address = job["resultUrl"]["jsonUrl"]
        plain = await fetched(address, **{"Accept-Encoding": "identity"})
        compressed = await fetched(address, **{"Accept-Encoding": "gzip, deflate"})
    assert "content-encoding" not in plain.headers and compressed.headers["content-encoding"] == "gzip"
    texts = [
        [
            json.loads(line)["result"]["layoutParsingResults"][0]["markdown"]
            for line in answer.text.splitlines()
        ]
        for answer in (plain, compressed)
    ]
    assert texts[0] == texts[1] and len(texts[0]) == 3


async def test_result_with_a_lost_page_breaks_off(tmp_path: Path) -> None:
    """A client must not take a part of the pages for the whole document."""
    async with serving(ScriptedEngine(), ocr_output_dir=tmp_path) as client:
        ten = pdf_of_text([str(number) for number in range(10)], size=(100, 100))
        job = await done(client, await submitted(client, ten, VL))
        address, folder = job["resultUrl"]["jsonUrl"], tmp_path / "jobs" / job["jobId"]
        (folder / "page-10").unlink()
        with pytest.raises(httpx.RemoteProtocolError):
            await fetched(address, **{"Accept-Encoding": "identity"})
        (folder / "page-1").unlink()
        lost = await fetched(address)
    assert (lost.status_code, lost.json()["code"]) == (500, 500)


async def test_failed_page_is_named_and_failed_job_has_its_reason(tmp_path: Path) -> None:
    engine = FaultyEngine({2: BrokenDocument("Page 2 of the PDF is damaged.")})
    async with serving(engine, ocr_output_dir=tmp_path) as client:
        for fields, key in ((VL, "layoutParsingResults"), (OCR, "ocrResults")):
            job = await done(client, await submitted(client, THREE_PAGES, fields))
            assert (job["state"], job["failedPages"]) == ("done", [2])
            failed = (await lines(job))[1][key][0]["prunedResult"]["error"]
            assert failed == {"code": "broken_document", "detail": "Page 2 of the PDF is damaged."}
        engine.faults = {1: BrokenDocument("Damaged.")}
        job = await done(client, await submitted(client, small_png(), VL))
    assert (job["state"], job["errorMsg"]) == ("failed", "Damaged.")
    assert "resultUrl" not in job


async def test_cancelled_job_is_failed_and_can_be_deleted(tmp_path: Path) -> None:
    engine = GatedEngine()
    async with serving(engine, ocr_output_dir=tmp_path) as client:
        job = (await submitted(client, small_png(), VL)).json()["data"]["jobId"]
        await engine.entered.get()
        assert (await job_of(client, job))["state"] == "running"
        cancelled = (await client.delete(f"{JOBS}/{job}")).json()["data"]
        assert (cancelled["state"], cancelled["errorMsg"]) == ("failed", "The job was cancelled.")
        assert (await job_of(client, job)) == cancelled
        await client.delete(f"{JOBS}/{job}")
        gone = await client.get(f"{JOBS}/{job}")
        assert (gone.status_code, gone.json()["code"]) == (404, 404)


async def test_batch_has_the_jobs_of_its_owner(tmp_path: Path) -> None:
    async with serving(ScriptedEngine(), ocr_output_dir=tmp_path, ocr_api_keys="one,two") as client:
        found: dict[str, Any] = {}
        for key, count in (("one", 2), ("two", 1)):
            client.headers["Authorization"] = f"Bearer {key}"
            for _ in range(count):
                sent = await submitted(client, small_png(), {**VL, "batchId": "a/b"})
                await done(client, sent)
            found[key] = (await client.get(f"{JOBS}/batch/a/b")).json()["data"]
        unknown = (await client.get(f"{JOBS}/batch/other")).json()["data"]
    assert (found["one"]["batchId"], unknown["extractResult"]) == ("a/b", [])
    assert [job["state"] for job in found["one"]["extractResult"]] == ["done"] * 2
    [other] = found["two"]["extractResult"]
    assert other["jobId"] in other["resultUrl"]["jsonUrl"]


async def test_job_of_another_key_is_not_found(tmp_path: Path) -> None:
    async with serving(ScriptedEngine(), ocr_output_dir=tmp_path, ocr_api_keys="one,two") as client:
        client.headers["Authorization"] = "Bearer one"
        job = await done(client, await submitted(client, small_png(), VL))
        client.headers["Authorization"] = "Bearer two"
        assert (await client.get(f"{JOBS}/{job['jobId']}")).status_code == 404
        client.headers["Authorization"] = "Bearer three"
        refused = await client.get(f"{JOBS}/{job['jobId']}")
    assert (refused.status_code, refused.json()["code"]) == (401, 401)


async def test_limits_of_jobs_are_errors_that_the_clients_know(tmp_path: Path) -> None:
    engine = GatedEngine()
    async with serving(engine, ocr_output_dir=tmp_path, ocr_jobs_max=1) as client:
        await submitted(client, small_png(), VL)
        refused = await submitted(client, small_png(), VL)
        assert (refused.status_code, refused.json()["code"]) == (429, 429)
        assert refused.headers["Retry-After"]
    async with serving(engine) as client:
        refused = await client.post(JOBS, files={"file": small_png()}, data=VL)
        assert (refused.status_code, refused.json()["code"]) == (503, 503)


async def test_job_of_the_other_api_is_answered_too(tmp_path: Path) -> None:
    async with serving(ScriptedEngine(), ocr_output_dir=tmp_path) as client:
        await is_available(client)
        own = (await client.post("/jobs", files={"file": small_png()})).json()["id"]
        await ended(client, own)
        [line] = await lines(await job_of(client, own))
        assert line["layoutParsingResults"][0]["markdown"]["text"] == "**page 1**"
        job = await done(client, await submitted(client, small_png(), OCR))
        result = await client.get(f"/jobs/{job['jobId']}/result", params={"format": "text"})
    assert result.text == "page 1"


async def test_status_and_result_are_answered_while_the_service_stops(tmp_path: Path) -> None:
    engine = GatedEngine()
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        async with serving(engine, ocr_output_dir=tmp_path) as client:
            engine.open(1)
            job = await done(client, await submitted(client, small_png(), VL))
            reading = asyncio.create_task(client.post("/ocr", files={"file": THREE_PAGES}))
            async with asyncio.timeout(120):
                while await engine.entered.get() != 3:
                    pass
            os.kill(os.getpid(), signal.SIGTERM)
            while (await client.get("/health/ready")).status_code == 200:
                pass
            assert len(await lines(await job_of(client, job["jobId"]))) == 1
            refused = await submitted(client, small_png(), VL)
            assert (refused.status_code, refused.json()["code"]) == (503, 503)
            engine.open(2)
            engine.open(3)
            assert (await reading).status_code == 200
    finally:
        signal.signal(signal.SIGTERM, before)
