"""Results of the Tesseract engine for whole pages, through the whole service."""

import httpx
import pytest
from PIL import Image, ImageDraw, ImageFont, ImageOps

from tests.running import RunningService
from tests.samples import BOLD, RUSSIAN, SERIF, encoded, noisy, pdf_of_images, printed_page, wrap


def letter() -> Image.Image:
    """A page with a title, a heading, hyphenated lines and a list."""
    image = Image.new("L", (1800, 1500), 255)
    draw = ImageDraw.Draw(image)
    body, heading, title = (ImageFont.truetype(f, s) for f, s in ((SERIF, 46), (BOLD, 62), (BOLD, 96)))
    draw.text((150, 100), "Договор поставки", font=title, fill=0)
    draw.text((150, 300), "Предмет договора", font=heading, fill=0)
    lines = [
        "Исполнитель обязуется оказать услуги, а Заказчик обя-",
        "зуется принять их и оплатить в течение десяти рабочих",
        "дней после подписания акта.",
    ]
    for n, line in enumerate(lines):
        draw.text((150, 420 + 64 * n), line, font=body, fill=0)
    for n, line in enumerate(["- первый пункт списка", "- второй пункт списка"]):
        draw.text((150, 720 + 64 * n), line, font=body, fill=0)
    return image


def test_markdown_has_headings_paragraphs_and_lists(service: httpx.Client) -> None:
    response = service.post("/ocr", files={"file": encoded(letter(), "PNG")}, data={"format": "markdown"})
    assert response.text == (
        "# Договор поставки\n\n"
        "## Предмет договора\n\n"
        "Исполнитель обязуется оказать услуги, а Заказчик обязуется принять их и оплатить "
        "в течение десяти рабочих дней после подписания акта.\n\n"
        "- первый пункт списка\n"
        "- второй пункт списка"
    )


def test_blocks_have_the_positions_of_their_text(service: httpx.Client) -> None:
    response = service.post("/ocr", files={"file": encoded(letter(), "PNG")})
    blocks = response.json()["pages"][0]["blocks"]
    assert [block["label"] for block in blocks] == ["doc_title", "paragraph_title", "text", "list"]
    assert [block["order"] for block in blocks] == [1, 2, 3, 4]
    assert all(block["confidence"] > 0.85 for block in blocks)
    tops = [100, 300, 420, 720]
    for block, top in zip(blocks, tops, strict=True):
        left, upper, right, lower = block["bbox"]
        assert 140 <= left < right <= 1800
        assert top <= upper < top + 40 < lower


def test_two_columns_are_read_one_after_the_other(service: httpx.Client) -> None:
    page = printed_page(RUSSIAN[:3], columns=2).image
    response = service.post("/ocr", files={"file": encoded(page, "PNG", dpi=(300, 300))})
    paragraphs = [block["content"] for block in response.json()["pages"][0]["blocks"]]
    assert [text.split()[0] for text in paragraphs] == ["Настоящий", "Исполнитель", "Стоимость"] * 2


def test_indented_paragraphs_are_separate(service: httpx.Client) -> None:
    """Their last lines are full, so the indent is the only sign of a new paragraph."""
    image = Image.new("L", (2480, 1200), 255)
    draw = ImageDraw.Draw(image)
    font = ImageFont.truetype(SERIF, 46)
    y = 100
    for text in RUSSIAN[:3]:
        for n, line in enumerate(wrap(text, font, 1950)[:-1]):
            draw.text((340 if n == 0 else 200, y), line, font=font, fill=0)
            y += 64
    response = service.post("/ocr", files={"file": encoded(image, "PNG", dpi=(300, 300))})
    paragraphs = [block["content"] for block in response.json()["pages"][0]["blocks"]]
    assert [text.split()[0] for text in paragraphs] == ["Настоящий", "Исполнитель", "Стоимость"]


def test_picture_on_the_page_is_left_out(service: httpx.Client) -> None:
    page = printed_page(RUSSIAN[:2]).image
    page.paste(Image.effect_noise((900, 700), 90), (300, 1500))
    response = service.post("/ocr", files={"file": encoded(page, "PNG", dpi=(300, 300))})
    markdown = response.json()["markdown"]
    assert "![" not in markdown
    assert RUSSIAN[1] in markdown


def test_blank_page_has_no_text(service: httpx.Client) -> None:
    response = service.post("/ocr", files={"file": encoded(Image.new("L", (800, 800), 255), "PNG")})
    [page] = response.json()["pages"]
    assert (page["text"], page["markdown"], page["blocks"], page["error"]) == ("", "", [], None)


def test_confidence_and_warnings_of_each_page(service: httpx.Client) -> None:
    upright = printed_page(RUSSIAN[:2], size=(1800, 700)).image
    scribble = Image.new("L", upright.size, 255)
    ImageDraw.Draw(scribble).arc((300, 100, 1500, 600), 20, 300, fill=0, width=9)
    mirrored = ImageOps.mirror(upright)
    pages = [upright, mirrored, scribble, noisy(Image.new("L", upright.size, 255))]
    answer = service.post("/ocr", files={"file": pdf_of_images(pages)}).json()
    confidence = [page["confidence"] for page in answer["pages"]]
    assert confidence[0] > 0.9 and confidence[1] < 0.7 and confidence[2:] == [None, None]
    codes = [{warning["code"] for warning in page["warnings"]} for page in answer["pages"]]
    # The mirrored page can read a little better at another angle, which does not make it right.
    codes[1].discard("corrected")
    # The grain of the empty page is smoothed.
    assert codes == [set(), {"low_confidence"}, {"no_text"}, {"corrected"}]
    named = {warning["code"]: warning["pages"] for warning in answer["warnings"]}
    assert (named["low_confidence"], named["no_text"]) == ([2], [3])


def test_pages_of_a_pdf(service: httpx.Client) -> None:
    pages = [printed_page([text]).image.crop((0, 0, 2480, 700)) for text in RUSSIAN[:4]]
    response = service.post("/ocr", files={"file": pdf_of_images(pages)}, data={"pages": "2-4"})
    answer = response.json()
    assert [page["index"] for page in answer["pages"]] == [2, 3, 4]
    for page, text in zip(answer["pages"], RUSSIAN[1:], strict=False):
        assert page["text"].startswith(text.split()[0])
        assert page["width"] == pytest.approx(2480, abs=1)
    assert answer["markdown"].count("\n\n") == 2


def test_language_of_the_request(service: httpx.Client) -> None:
    font = ImageFont.truetype(SERIF, 46)
    image = Image.new("L", (1400, 300), 255)
    draw = ImageDraw.Draw(image)
    for n, line in enumerate(wrap("The committee met and approved the budget.", font, 1200)):
        draw.text((100, 60 + 64 * n), line, font=font, fill=0)
    english = service.post(
        "/ocr", files={"file": encoded(image, "PNG")}, data={"lang": "eng", "format": "text"}
    )
    assert english.text == "The committee met and approved the budget."
    unknown = service.post("/ocr", files={"file": encoded(image, "PNG")}, data={"lang": "tlh"})
    assert unknown.status_code == 422
    assert unknown.json()["code"] == "language_not_installed"
    for word in ("tlh", "eng", "rus", "apt-get install"):
        assert word in unknown.json()["detail"]


def test_image_wider_than_tesseract_can_read(service: httpx.Client) -> None:
    response = service.post("/ocr", files={"file": encoded(Image.new("1", (40_000, 50), 1), "PNG")})
    assert response.status_code == 422
    assert response.json()["code"] == "too_many_pixels"


def test_text_of_documents_stays_out_of_the_log(running: RunningService) -> None:
    page = encoded(printed_page(["Сверхсекретно"]).image, "PNG", dpi=(300, 300))
    response = running.client.post("/ocr", files={"file": ("Сверхсекретно.png", page)})
    assert "Сверхсекретно" in response.text
    running.client.post("/ocr", files={"file": page[: len(page) // 2]})
    assert "Сверхсекретно" not in "".join(running.log)


def test_health_and_version_name_the_engine(service: httpx.Client) -> None:
    health, version = service.get("/health").json(), service.get("/version").json()
    assert (health["engine"], health["engine_state"]) == ("tesseract", "ready")
    assert version["engine"] == {"name": "tesseract", "version": health["engine_version"]}
    assert health["engine_version"].startswith("5.")
