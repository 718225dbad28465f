"""Which pages of a document a caller wants: "1-3,7", "5-"."""

import re
from collections.abc import Sequence

from ocr_service.core.errors import PagesOutOfRange, RequestError

_PART = re.compile(r"([0-9]{1,9})(?:(-)([0-9]{1,9})?)?")


def select_pages(wanted: str | None, page_count: int) -> Sequence[int]:
    """Return the numbers, from 1 and ascending, of the pages that `wanted` names; None names all.

    Raises RequestError for what is not a list of pages, PagesOutOfRange for pages that are not there.
    """
    if wanted is None:
        return range(1, page_count + 1)
    selected: set[int] = set()
    for part in wanted.split(","):
        first, last = _bounds(part.strip(), page_count)
        if not 1 <= first <= last <= page_count:
            raise PagesOutOfRange(f"pages={wanted}: the document has {_pages(page_count)}, counted from 1.")
        selected.update(range(first, last + 1))
    return sorted(selected)


def _bounds(part: str, page_count: int) -> tuple[int, int]:
    match = _PART.fullmatch(part)
    if match is None:
        raise RequestError('pages: write page numbers and ranges, such as "1-3,7" or "5-".')
    first, dash, last = match.groups()
    if last is not None:
        return int(first), int(last)
    return int(first), page_count if dash else int(first)


def _pages(count: int) -> str:
    return "1 page" if count == 1 else f"{count} pages"
