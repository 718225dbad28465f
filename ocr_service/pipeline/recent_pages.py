"""The quality of the last pages, so that an operator sees when a share of them is bad."""

import time
from collections import deque
from collections.abc import Callable, Sequence

from ocr_service.core.documents import PageQuality

# Pages that are remembered, and seconds after which a page is forgotten.
_MAX_PAGES = 1000
WINDOW_SECONDS = 3600.0


class RecentPages:
    """The last pages that were processed: at most 1000, none older than an hour; cached ones do not count."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pages: deque[tuple[float, PageQuality]] = deque(maxlen=_MAX_PAGES)

    def add(self, page: PageQuality) -> None:
        """Remember a page that was just processed."""
        self._pages.append((self._clock(), page))

    @property
    def pages(self) -> Sequence[PageQuality]:
        """The pages of the window, the oldest first."""
        oldest = self._clock() - WINDOW_SECONDS
        while self._pages and self._pages[0][0] < oldest:
            self._pages.popleft()
        return [page for _, page in self._pages]
