"""The JSON of a result, written page by page.

The writer of JSON holds the interpreter lock until it is done, and so does the release of its values. Page by
page, other threads run in between, above all the event loop, and fewer values are in memory.
"""

from collections.abc import Callable, Iterator, Sequence

from pydantic_core import to_json

from ocr_service.api.answers.document import EngineAnswer, PageAnswer, ResultAnswer, TimingsAnswer
from ocr_service.api.answers.storage import StorageAnswer
from ocr_service.api.answers.warnings import DocumentWarningAnswer
from ocr_service.core.documents import PAGE_BREAK, DocumentResult, PageQuality, PageResult, Timings
from ocr_service.core.engine import Engine
from ocr_service.core.quality import mean_confidence
from ocr_service.jobs.job import JobEngine
from ocr_service.storage.bundles import StorageOutcome

AnswerOf = Callable[[PageResult], PageAnswer]

_PAGES = b'"pages":['
# In a text of JSON, the quotation marks are escaped.
_EMPTY = _PAGES + b'],"markdown":"","text":""'


class ResultWriter:
    """Writes the JSON of one `ResultAnswer` in parts: `start`, each `page`, `end`.

    answer_of: makes the answer of a page.
    """

    def __init__(self, engine: Engine | JobEngine, request_id: str, answer_of: AnswerOf) -> None:
        self._engine = engine
        self._request_id = request_id
        self._answer_of = answer_of
        self._quality: list[PageQuality] = []
        self._markdown: list[bytes] = []
        self._text: list[bytes] = []

    def start(self, cached: bool) -> bytes:
        """Return what is before the pages."""
        return self._frame(cached, Timings(), 0.0)[0] + _PAGES

    def page(self, page: PageResult) -> bytes:
        """Return a page."""
        separator = b"," if self._quality else b""
        self._quality.append(page.quality)
        self._markdown += _content(page.markdown)
        self._text += _content(page.text)
        return separator + self._answer_of(page).model_dump_json().encode()

    def end(self, cached: bool, timings: Timings, total: float) -> Iterator[bytes]:
        """Yield what is after the pages. total: seconds."""
        yield b'],"markdown":"'
        yield from _with_breaks(self._markdown)
        yield b'","text":"'
        yield from _with_breaks(self._text)
        yield b'"' + self._frame(cached, timings, total)[1]

    def _frame(self, cached: bool, timings: Timings, total: float) -> tuple[bytes, bytes]:
        """Return the JSON before and after the pages and their texts."""
        answer = ResultAnswer(
            request_id=self._request_id,
            engine=EngineAnswer.of(self._engine),
            cached=cached,
            pages=[],
            markdown="",
            text="",
            confidence=mean_confidence(self._quality),
            warnings=DocumentWarningAnswer.all_of(self._quality),
            timings=TimingsAnswer.of(timings, total),
        )
        before, _, after = answer.model_dump_json().encode().partition(_EMPTY)
        return before, after


def result_json(result: DocumentResult, writer: ResultWriter) -> Iterator[bytes]:
    """Yield the JSON of a result in parts."""
    yield writer.start(result.cached)
    yield from map(writer.page, result.pages)
    yield from writer.end(result.cached, result.timings, result.total)


def with_storage(result_json: Sequence[bytes], stored: StorageOutcome) -> Sequence[bytes]:
    """Return the JSON of a DocumentAnswer, made of the JSON of its ResultAnswer."""
    *parts, last = result_json
    return [*parts, last[:-1], b',"storage":', StorageAnswer.of(stored).model_dump_json().encode(), b"}"]


def _content(text: str) -> Sequence[bytes]:
    """Return a text as in JSON, without its quotation marks; nothing if it is empty."""
    return [to_json(text)[1:-1]] if text else []


def _with_breaks(texts: Sequence[bytes]) -> Iterator[bytes]:
    page_break = _content(PAGE_BREAK)
    for number, text in enumerate(texts):
        if number:
            yield from page_break
        yield text
