"""`format=pdf` and `format=pdfa` over HTTP, and their processes."""

import io
from dataclasses import replace
from pathlib import Path

import pikepdf
import pypdfium2 as pdfium
import pytest
from pikepdf import Array, Dictionary, Name
from PIL import Image

from ocr_service.core.documents import Block, Page, PageResult, Word
from ocr_service.core.errors import RecognitionFailed
from ocr_service.core.options import Options
from ocr_service.storage.local import LocalStorage
from tests.fakes.memory_storage import MemoryStorage
from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.jobs import ended, submitted
from tests.http.serving import serving
from tests.samples import pdf_of_images, pdf_of_text, small_png, tiff_with_broken_page

pytestmark = pytest.mark.anyio

PDF = "application/pdf"


class _Reader(ScriptedEngine):
    """Reads one word on each page, and no second page."""

    async def recognize(self, page: Page, options: Options) -> PageResult:
        read = await super().recognize(page, options)
        if page.index == 2:
            raise RecognitionFailed("The engine stopped.")
        words = (Word(f"слово{page.index}", (2, 2, 30, 12), 0.9),)
        return replace(read, blocks=(Block("text", (2, 2, 30, 12), words[0].text, 1, 0.9, words=words),))


def scans(count: int, sign: bool = False) -> bytes:
    picture = Image.linear_gradient("L").resize((100, 50))
    made = pikepdf.open(io.BytesIO(pdf_of_images([picture] * count, dpi=72)))
    if sign:
        value = made.make_indirect(Dictionary(Type=Name.Sig))
        field = made.make_indirect(Dictionary(FT=Name.Sig, T="one", V=value))
        made.Root.AcroForm = Dictionary(Fields=Array([field]), SigFlags=3)
    file = io.BytesIO()
    made.save(file)
    return file.getvalue()


def texts(data: bytes) -> list[str]:
    return [page.get_textpage().get_text_bounded() for page in pdfium.PdfDocument(data)]


async def test_pages_keep_their_places_and_get_their_text() -> None:
    engine = _Reader()
    async with serving(engine) as client:
        files = {"file": scans(3)}
        answer = await client.post("/ocr", files=files, data={"format": "pdf"})
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, PDF)
        assert answer.headers["X-OCR-Errors"] == "recognition_failed"
        assert texts(answer.content) == ["слово1", "", "слово3"]
        with pikepdf.open(io.BytesIO(answer.content)) as opened:
            assert [len(page.obj.get("/Annots", [])) for page in opened.pages] == [0, 1, 0]
        preferred = await client.post("/ocr", files=files, headers={"Accept": PDF}, data={"pages": "3"})
        assert texts(preferred.content) == ["слово3"]
        assert all(options.words and options.text_layer == "auto" for options in engine.options)
        picture = await client.post("/ocr", files={"file": small_png()}, data={"format": "pdfa"})
        assert texts(picture.content) == ["слово1"]


@pytest.mark.parametrize("format_name", ["pdf", "pdfa"])
async def test_page_of_an_image_file_that_cannot_be_decoded_is_a_page_with_a_note(format_name: str) -> None:
    async with serving(_Reader()) as client:
        files = {"file": tiff_with_broken_page(3, 3)}
        answer = await client.post("/ocr", files=files, data={"format": format_name})
        assert answer.status_code == 200
        assert texts(answer.content) == ["слово1", "", ""]
        with pikepdf.open(io.BytesIO(answer.content)) as opened:
            assert "damaged" in str(opened.pages[2].obj.Annots[0].Contents)


async def test_page_with_good_text_is_not_changed() -> None:
    pdf = pdf_of_text(["A page with some text that is good."])
    async with serving(_Reader()) as client:
        answer = await client.post("/ocr", files={"file": pdf}, data={"format": "pdf"})
        assert answer.content == pdf
        again = await client.post("/ocr", files={"file": pdf}, data={"format": "pdf", "text_layer": "never"})
        assert "слово1" in texts(again.content)[0]


async def test_end_of_a_signature_is_a_warning() -> None:
    async with serving(_Reader()) as client:
        answer = await client.post("/ocr", files={"file": scans(1, sign=True)}, data={"format": "pdf"})
        assert answer.headers["X-OCR-Warnings"] == "signature_removed"


async def test_pdf_that_cannot_become_pdf_a_is_an_error() -> None:
    pdf = pdf_of_text(["Its font is not embedded."])
    async with serving(_Reader()) as client:
        answer = await client.post("/ocr", files={"file": pdf}, data={"format": "pdfa"})
        assert (answer.status_code, answer.json()["code"]) == (422, "not_archivable")


async def test_restructured_pages_cannot_be_a_pdf(tmp_path: Path) -> None:
    """Their text is on other pages than where it is seen."""
    fields = {"restructure_pages": "true"}
    async with serving(_Reader(), ocr_output_dir=tmp_path) as client:
        answer = await client.post("/ocr", files={"file": scans(1)}, data={"format": "pdf", **fields})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
        job = await submitted(client, scans(1), **fields)
        assert (await ended(client, job))["state"] == "done"
        answer = await client.get(f"/jobs/{job}/result", params={"format": "pdf"})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_encrypted_pdf_needs_its_password_for_the_file_too() -> None:
    file = io.BytesIO()
    with pikepdf.open(io.BytesIO(scans(1))) as plain:
        plain.save(file, encryption=pikepdf.Encryption(owner="o", user="geheim"))
    async with serving(_Reader()) as client:
        fields = {"format": "pdf", "password": "geheim"}
        answer = await client.post("/ocr", files={"file": file.getvalue()}, data=fields)
        with pytest.raises(pikepdf.PasswordError):
            pikepdf.open(io.BytesIO(answer.content))
        with pikepdf.open(io.BytesIO(answer.content), password="geheim") as opened:
            assert len(opened.pages) == 1


async def test_pdf_is_stored_beside_the_result() -> None:
    storage = MemoryStorage()
    async with serving(_Reader(), storage) as client:
        answer = await client.post("/ocr", files={"file": scans(1)}, data={"format": "pdf"})
        key = f"{answer.headers['X-Storage-Folder']}result.pdf"
        assert storage.objects[key] == answer.content


@pytest.mark.parametrize("form", ["pdf", "json"])
async def test_job_has_its_result_as_a_pdf(tmp_path: Path, form: str) -> None:
    """The words are kept, whatever the job was submitted for; JSON has them if they were asked for."""
    storage = LocalStorage(tmp_path)
    async with serving(_Reader(), storage, ocr_output_dir=tmp_path) as client:
        job = await submitted(client, scans(3), format=form, pages="1,3")
        stored = (await ended(client, job))["storage"]
        answer = await client.get(f"/jobs/{job}/result", params={"format": "pdf"})
        assert answer.headers["Content-Type"] == PDF
        assert texts(answer.content) == ["слово1", "слово3"]
        result = (await client.get(f"/jobs/{job}/result")).json()
        page = (await client.get(f"/jobs/{job}/pages/3")).json()
    assert "words" not in result["pages"][0]["blocks"][0] and "words" not in page["blocks"][0]
    made = [file["key"] for file in stored["files"] if file["key"].endswith(".pdf")]
    assert [(tmp_path / key).read_bytes() for key in made] == ([answer.content] if form == "pdf" else [])
