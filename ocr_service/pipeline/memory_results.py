"""The memory level of the result cache."""

from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _Entry:
    data: bytes
    pages_key: str | None


class MemoryResults:
    """The most recently used results, limited in bytes. bytes: of the results that are there now."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self.bytes = 0
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        # For each document and its options: the keys of the results that have pages of it.
        self._by_pages: defaultdict[str, set[str]] = defaultdict(set)

    def get(self, key: str) -> bytes | None:
        """Return the data of a result, which becomes the most recently used one."""
        if key not in self._entries:
            return None
        self._entries.move_to_end(key)
        return self._entries[key].data

    def put(self, key: str, data: bytes, pages_key: str | None = None) -> None:
        """Keep a result, unless it is larger than the limit.

        pages_key: of the document whose pages it has; see `with_pages`.
        """
        if len(data) > self._max_bytes:
            return
        self._drop(key)
        self._entries[key] = _Entry(data, pages_key)
        self.bytes += len(data)
        if pages_key is not None:
            self._by_pages[pages_key].add(key)
        while self.bytes > self._max_bytes:
            self._drop(next(iter(self._entries)))

    def with_pages(self, pages_key: str) -> Sequence[bytes]:
        """Return the results that have pages of a document."""
        return [self._entries[key].data for key in self._by_pages.get(pages_key, ())]

    def _drop(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        self.bytes -= len(entry.data)
        if entry.pages_key is not None:
            keys = self._by_pages[entry.pages_key]
            keys.discard(key)
            if not keys:
                del self._by_pages[entry.pages_key]
