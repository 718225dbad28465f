"""Documents and pages of jobs in memory: few at a time, and counted."""

import asyncio
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing

import pytest

from ocr_service.admission.admission import Admission, Bounds
from ocr_service.core.documents import PageResult
from ocr_service.core.errors import Overloaded, PagesTooLarge
from ocr_service.jobs.contents import Contents, Whole
from ocr_service.jobs.files import JobFiles
from ocr_service.jobs.job import Job, JobState
from tests.fakes.memory_storage import MemoryStorage

pytestmark = pytest.mark.anyio

DOCUMENT, PICTURE = bytes(40), bytes(1000)
JOB = Job(
    id="a" * 32,
    owner="",
    face="ocr",
    asked={},
    name="",
    sha256="",
    size=len(DOCUMENT),
    pages=(1, 2),
    request_id="",
    state=JobState.DONE,
    done=(1, 2),
)


async def kept(document_bytes: int = 10**6) -> tuple[Contents, Admission]:
    """Keep a job with two pages, each with a picture."""
    files = JobFiles(MemoryStorage())
    await files.put_document(JOB.id, DOCUMENT)
    for number in JOB.pages:
        page = PageResult(number, 1, 1, markdown="", text="", blocks=(), images={"photo.jpg": PICTURE})
        await files.put_page(JOB.id, page)
    admission = Admission(Bounds(1, 1, document_bytes, waiting=1, seconds=60))
    return Contents(files, admission.memory), admission


def loads(contents: Contents, what: str) -> AbstractAsyncContextManager[bytes | Whole]:
    return contents.document(JOB) if what == "document" else contents.whole(JOB, with_document=True)


@pytest.mark.parametrize(("what", "size"), [("document", 40), ("whole", 2040)])
async def test_many_requests_load_few_at_a_time(what: str, size: int) -> None:
    contents, admission = await kept()
    held = []

    async def request() -> None:
        async with loads(contents, what):
            for _ in range(20):
                await asyncio.sleep(0)
            held.append(admission.memory.held)

    await asyncio.gather(*(request() for _ in range(10)))
    assert (len(held), max(held)) == (10, 2 * size)
    assert admission.memory.held == 0


async def test_loaded_documents_count_for_uploads() -> None:
    contents, admission = await kept(document_bytes=50)
    async with AsyncExitStack() as stack:
        assert await stack.enter_async_context(contents.document(JOB)) == DOCUMENT
        visit = stack.enter_context(admission.visit())
        with pytest.raises(Overloaded):
            visit.memory.hold(11)


async def test_answers_page_by_page_hold_the_pages_that_are_loaded() -> None:
    contents, admission = await kept(document_bytes=3000)
    async with aclosing(contents.each_page(JOB)) as slow, aclosing(contents.each_page(JOB)) as refused:
        assert (await anext(slow)).index == 1
        assert admission.memory.held == 2000
        with pytest.raises(Overloaded):
            await anext(refused)
        assert (await anext(slow)).index == 2
    assert admission.memory.held == 0


async def test_pages_that_are_larger_than_the_memory_are_no_file() -> None:
    contents, admission = await kept(document_bytes=1500)
    with pytest.raises(PagesTooLarge, match="OCR_MAX_DOCUMENTS_MB"):
        async with contents.whole(JOB, with_document=False):
            pass
    assert [page.index async for page in contents.each_page(JOB)] == [1, 2]
    assert admission.memory.held == 0
