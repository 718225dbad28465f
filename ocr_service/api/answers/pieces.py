"""Answers that are made in pieces: other answers, and the event loop, have their turns in between."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import islice
from typing import Protocol, TypeVar

T = TypeVar("T")

# A short document is made in one piece.
_PARTS_AT_ONCE = 16


class Run(Protocol):
    """Runs a call in a thread."""

    def __call__(self, call: Callable[..., T], /, *args: object) -> Awaitable[T]: ...


async def in_pieces(run: Run, parts: Iterator[bytes]) -> Sequence[bytes]:
    """Make the parts of an answer in a thread, some at a time."""
    made: list[bytes] = []
    while True:
        piece = await run(_some, parts)
        made += piece
        if len(piece) < _PARTS_AT_ONCE:
            return made


def _some(parts: Iterator[bytes]) -> Sequence[bytes]:
    return list(islice(parts, _PARTS_AT_ONCE))
