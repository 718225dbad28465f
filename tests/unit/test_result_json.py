"""JSON that is written page by page: the same bytes as that of the whole answer, in parts of one page."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import overload

import pytest

from ocr_service.api.answers.document import (
    DocumentAnswer,
    EngineAnswer,
    PageAnswer,
    ResultAnswer,
    TimingsAnswer,
)
from ocr_service.api.answers.layout_parsing import (
    InferResult,
    LayoutParsingAnswer,
    LayoutParsingResult,
    PageInfo,
    PagesInfo,
    in_base64,
    layout_parsing_json,
)
from ocr_service.api.answers.pieces import in_pieces
from ocr_service.api.answers.result_json import ResultWriter, result_json, with_storage
from ocr_service.api.answers.storage import StorageAnswer
from ocr_service.api.answers.warnings import DocumentWarningAnswer
from ocr_service.core.documents import (
    Block,
    DocumentResult,
    PageResult,
    PageWarning,
    TextSource,
    Timings,
    WarningCode,
    Word,
)
from ocr_service.core.errors import BrokenDocument, RecognitionFailed
from ocr_service.core.quality import mean_confidence
from ocr_service.core.turns import Caller
from ocr_service.jobs.job import JobEngine
from ocr_service.runtime.threads import Workers
from ocr_service.storage.bundles import DISABLED

ENGINE = JobEngine("tesseract", None)
REQUEST_ID = 'x","pages":[],"markdown":"","text":""'
TEXT = 'Договор «№ 17»\n\t"a\\b" </script> \x07\u2028😀 "pages":[],"markdown":"","text":""'
WORDS = tuple(Word(f"слово{number}", (number, 2, 3, 4), 0.12345) for number in range(200))
PAGE = PageResult(
    1,
    2480,
    3508,
    f"# {TEXT}",
    TEXT,
    (Block("text", (1, 2, 3, 4), TEXT, 1, 0.5, words=WORDS),),
    Timings(0.1, 0.2, 0.3),
    confidence=0.957,
    warnings=(PageWarning(WarningCode.LOW_CONFIDENCE, "The confidence is low."),),
    decoded=(2480, 3508),
    images={'imgs/"a".jpg': b"\xff\xd8 picture"},
    drawings={"input_img": b"\xff\xd8 page", "layout_det_res": b"\xff\xd8"},
    docx=b"PK",
)
FAILED = PageResult(2, 0, 0, "", "", (), failure=BrokenDocument("Page 2 is damaged."))
PARTLY = replace(PAGE, index=4, blocks=(replace(PAGE.blocks[0], failure=RecognitionFailed("no")),))
OF_THE_FILE = replace(PAGE, index=3, source=TextSource.TEXT_LAYER, confidence=None, warnings=(), images={})


class CountedPages(Sequence[PageResult]):
    """Many pages that are made when they are asked for."""

    def __init__(self, size: int) -> None:
        self.size, self.made = size, 0

    def __len__(self) -> int:
        return self.size

    @overload
    def __getitem__(self, index: int) -> PageResult: ...

    @overload
    def __getitem__(self, index: slice) -> "CountedPages": ...

    def __getitem__(self, index: int | slice) -> "PageResult | CountedPages":
        assert isinstance(index, int)
        if index >= self.size:
            raise IndexError
        self.made += 1
        return replace(PAGE, index=index + 1)


def result_of(*pages: PageResult) -> DocumentResult:
    return DocumentResult(pages, Timings(0.1, 0.2, 0.3), 1.23456, cached=bool(pages))


def written(result: DocumentResult) -> list[bytes]:
    return list(result_json(result, ResultWriter(ENGINE, REQUEST_ID, PageAnswer.of)))


def whole_answer(result: DocumentResult) -> ResultAnswer:
    """Make the answer in one piece."""
    return ResultAnswer(
        request_id=REQUEST_ID,
        engine=EngineAnswer.of(ENGINE),
        cached=result.cached,
        pages=[PageAnswer.of(page) for page in result.pages],
        markdown="\n\n".join(page.markdown for page in result.pages if page.markdown),
        text="\n\n".join(page.text for page in result.pages if page.text),
        confidence=mean_confidence(result.quality),
        warnings=DocumentWarningAnswer.all_of(result.quality),
        timings=TimingsAnswer.of(result.timings, result.total),
    )


RESULTS = [
    (),
    (PAGE,),
    (FAILED,),
    (FAILED, PAGE),
    (PAGE, FAILED, OF_THE_FILE, PARTLY),
    (replace(PAGE, markdown=""), replace(PAGE, text="")),
]


@pytest.mark.parametrize("pages", RESULTS, ids=lambda pages: f"{len(pages)} pages")
def test_json_is_that_of_the_whole_answer(pages: tuple[PageResult, ...]) -> None:
    result = result_of(*pages)
    parts, answer = written(result), whole_answer(result)
    assert b"".join(parts) == answer.model_dump_json().encode()
    stored = DocumentAnswer(**dict(answer), storage=StorageAnswer.of(DISABLED))
    assert b"".join(with_storage(parts, DISABLED)) == stored.model_dump_json().encode()


@pytest.mark.parametrize("images", [True, False], ids=["images", "no images"])
def test_json_of_layout_parsing_is_that_of_the_whole_answer(images: bool) -> None:
    result = result_of(PAGE, FAILED, OF_THE_FILE, PARTLY)
    pages = [
        LayoutParsingResult.of(page, in_base64(page.images) if images else None, in_base64(page.drawings))
        for page in result.pages
    ]
    sizes = [PageInfo(width=page.decoded[0], height=page.decoded[1]) for page in result.pages]
    info = PagesInfo(num_pages=4, pages=sizes, type="pdf")
    infer = InferResult(layout_parsing_results=pages, data_info=info)
    whole = LayoutParsingAnswer(log_id='"layoutParsingResults":[]', result=infer)
    parts = layout_parsing_json(whole.log_id, result, b"%PDF-1.7", images)
    assert b"".join(parts) == whole.model_dump_json(exclude_none=True).encode()


@pytest.mark.parametrize("form", ["ocr", "layout_parsing"])
def test_pages_are_written_one_by_one(form: str) -> None:
    pages = CountedPages(50)
    result = DocumentResult(pages, Timings(), 0.0)
    parts: Iterator[bytes] = (
        result_json(result, ResultWriter(ENGINE, REQUEST_ID, PageAnswer.of))
        if form == "ocr"
        else layout_parsing_json("id", result, b"%PDF-1.7")
    )
    sizes = []
    for number, part in enumerate(parts):
        sizes.append(len(part))
        assert pages.made <= number
    assert pages.made == 50
    # The sizes of all pages are in one part of the other API.
    assert max(sizes) < sum(sizes) / 10


@pytest.mark.anyio
async def test_answers_take_turns_piece_by_piece() -> None:
    order: list[str] = []

    def parts_of(name: str) -> Iterator[bytes]:
        for _ in range(100):
            order.append(name)
            yield name.encode()

    workers, callers = Workers(1, "test"), [Caller(owner=name) for name in "ab"]

    async def made(caller: Caller) -> Sequence[bytes]:
        async def run(call, /, *args):  # type: ignore[no-untyped-def]
            return await workers.run_for(caller, call, *args)

        return await in_pieces(run, parts_of(caller.owner))

    found = await asyncio.gather(*map(made, callers))
    workers.close()
    assert [b"".join(parts) for parts in found] == [b"a" * 100, b"b" * 100]
    half = order[:100]
    assert half.count("a") >= 30 and half.count("b") >= 30
