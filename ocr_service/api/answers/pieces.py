"""Answers that are made in pieces: other answers, and the event loop, have their turns in between."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Protocol, TypeVar

from pydantic_core import to_json

T = TypeVar("T")

# Of lists in a part that is written at once: the points of a polygon are in two.
_LEVELS = 3
# A short document is made in one piece.
_PARTS_AT_ONCE = 16


def json_of(value: Any) -> bytes:
    """Return a value of JSON as pydantic writes it.

    That writer holds the interpreter lock until it is done, so it gets only parts without further objects.
    """
    if isinstance(value, dict) and not _is_plain(value):
        return b"{%b}" % b",".join([to_json(name) + b":" + json_of(part) for name, part in value.items()])
    if isinstance(value, list) and not _is_plain(value):
        return b"[%b]" % b",".join([json_of(part) for part in value])
    return to_json(value, inf_nan_mode="null")


def _is_plain(value: dict[str, Any] | list[Any], levels: int = _LEVELS) -> bool:
    """Whether no object is within the value, in so many levels of lists."""
    parts = value.values() if isinstance(value, dict) else value
    kinds = set(map(type, parts))
    if dict in kinds:
        return False
    return list not in kinds or (
        levels > 0 and all(_is_plain(part, levels - 1) for part in parts if part and type(part) is list)
    )


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
