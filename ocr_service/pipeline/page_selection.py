"""Page selections such as "1-3,7" or "5-"."""

import re
from collections.abc import Sequence

from ocr_service.core.errors import PagesOutOfRange, RequestError, TooManyPages

_PART = re.compile(r"([0-9]{1,9})(?:(-)([0-9]{1,9})?)?")


def select_pages(selection: str | None, page_count: int) -> Sequence[int]:
    """Return the selected page numbers, ascending from 1; None selects all pages.

    Raises RequestError if the selection is malformed, PagesOutOfRange if a page does not exist or a range
    runs backwards.
    """
    if selection is None:
        return range(1, page_count + 1)
    selected: set[int] = set()
    for part in selection.split(","):
        first, last = _bounds(part.strip(), page_count)
        if not 1 <= first <= last <= page_count:
            raise PagesOutOfRange(
                f"pages: the document has {_pages(page_count)}, counted from 1; "
                f"{part.strip()} is not among them."
            )
        selected.update(range(first, last + 1))
    return sorted(selected)


def refuse_too_many(pages: int, max_pages: int) -> None:
    """Raise TooManyPages if a request has more pages than the limit."""
    if pages > max_pages:
        raise TooManyPages(
            f"The request is for {pages} pages, but the limit is {max_pages}. "
            "Select pages with the field `pages`."
        )


def _bounds(part: str, page_count: int) -> tuple[int, int]:
    match = _PART.fullmatch(part)
    if match is None:
        raise RequestError('pages: use page numbers and ranges, such as "1-3,7" or "5-".')
    first, dash, last = match.groups()
    if last is None:
        return int(first), page_count if dash else int(first)
    if int(first) > int(last):
        raise PagesOutOfRange(f"pages: the range {part} runs backwards.")
    return int(first), int(last)


def _pages(count: int) -> str:
    return "1 page" if count == 1 else f"{count} pages"
