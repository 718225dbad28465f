"""The answer for a document of many pages with their words, from the cache, again and again."""

from functools import partial
from multiprocessing.synchronize import Event

from benchmarks.attack.callers import Address, Outcomes, ask, post, repeat
from tests.text_pdfs import lines, pdf_of

CALLERS = 6
# Of the service: by default, the benchmarks have no cache.
SETTINGS = {"OCR_CACHE_LIFETIME": "3600"}
_PATH = "/ocr?words=true"
_PAGES, _LINES, _WORDS = 200, 50, 10


def attack(address: Address, stop: Event) -> Outcomes:
    """Have the document read, then ask for it."""
    data = _pdf()
    ask(address, _PATH, data)
    return repeat(lambda: post(address, _PATH, data), CALLERS, stop)


def _pdf() -> bytes:
    return pdf_of(*(partial(lines, texts=_texts(page)) for page in range(_PAGES)))


def _texts(page: int) -> list[str]:
    return [" ".join(f"word{page}x{line}x{word}" for word in range(_WORDS)) for line in range(_LINES)]
