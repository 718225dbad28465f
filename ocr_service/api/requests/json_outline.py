"""Bounds on the values of a JSON body, checked before it is parsed.

The parser needs up to 128 bytes for a value of two bytes, and it holds the interpreter lock. It and all that
handles the value later is recursive, and fails at some depth.
"""

from dataclasses import dataclass, field

from ocr_service.api.requests.body_stream import ENVELOPE
from ocr_service.core.errors import MalformedBody, TooManyBytes

MAX_DEPTH = 64
"""Levels of nested lists and objects; answers of PaddleX have less than ten."""

MAX_RUN = 50_000
"""Values that follow each other without an object. The parser lets other threads run at each object only."""

_VALUE_BYTES = 128
# Counting holds the interpreter lock; other threads run between the chunks.
_CHUNK = 2**18
_AS_LISTS = bytes.maketrans(b"{}", b"[]")
_OTHERS = bytes(set(range(256)) - set(b"{}[],"))


@dataclass(frozen=True, slots=True)
class JsonLimits:
    """Limits of a JSON body without its long strings: its size in bytes, and the number of its values."""

    size: int = ENVELOPE
    values: int = 10_000


DEFAULT = JsonLimits()
"""For a body that consists of a document and options."""


@dataclass(slots=True)
class Outline:
    """The brackets and commas of a JSON text, without those in strings. max_values: of the whole text."""

    max_values: int
    _marks: bytearray = field(default_factory=bytearray)

    @property
    def memory(self) -> int:
        """Upper limit of the memory for the parsed value in bytes, without its strings."""
        return self._values * _VALUE_BYTES

    def add(self, text: bytes | memoryview) -> None:
        """Add a part of the text that contains no string; raises TooManyBytes."""
        for start in range(0, len(text), _CHUNK):
            self._marks += bytes(text[start : start + _CHUNK]).translate(None, _OTHERS)
            if len(self._marks) > 2 * self.max_values:
                self._refuse_many()

    def check(self) -> None:
        """Raise TooManyBytes for too many values, and MalformedBody if they are nested too deeply."""
        if self._values > self.max_values:
            self._refuse_many()
        runs = self._marks.replace(b"}", b"{").split(b"{")
        if any(len(run) - run.count(b"]") > MAX_RUN for run in runs):
            raise TooManyBytes(f"A JSON body can have up to {MAX_RUN} values in a row without an object.")
        # Each pass removes the innermost lists.
        nested = self._marks.translate(_AS_LISTS, b",")
        for _ in range(MAX_DEPTH):
            nested = nested.replace(b"[]", b"")
        if nested:
            raise MalformedBody(
                f"The body is not well-formed JSON, or it is nested more than {MAX_DEPTH} levels deep."
            )

    @property
    def _values(self) -> int:
        # A value begins at the start, after a comma or after an opening bracket; an empty list counts twice.
        return 1 + len(self._marks) - self._marks.count(b"]") - self._marks.count(b"}")

    def _refuse_many(self) -> None:
        raise TooManyBytes(f"A JSON body can have up to {self.max_values} values.")
