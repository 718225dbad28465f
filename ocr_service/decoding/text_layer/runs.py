"""Pieces of words → words of a text direction, with boxes in a frame where the text is upright.

The frame has its y axis downwards. Words that overlap a duplicate of themselves (a way to print bold) are
taken once; raised and lowered digits become the characters for them, so that 10² does not become 102.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ocr_service.decoding.text_layer.characters import HYPHENS, Piece
from ocr_service.decoding.text_layer.geometry import Matrix, turned

# Shares of the font size above and below the base line that a word takes.
_ASCENT, _DESCENT = 0.75, 0.25
# Shares of the font size: the distance of duplicates, and of digits that are raised or lowered.
_SAME_PLACE = 0.25
_RAISED, _LOWERED = 0.18, 0.08
_SMALLER = 0.85

_SOFT_HYPHEN = "\u00ad"
_LIGATURES = {
    ord("ﬀ"): "ff",
    ord("ﬁ"): "fi",
    ord("ﬂ"): "fl",
    ord("ﬃ"): "ffi",
    ord("ﬄ"): "ffl",
    ord("ﬅ"): "st",
    ord("ﬆ"): "st",
}
# Bullets of Symbol and Wingdings, which have no characters of their own.
BULLETS = dict.fromkeys((0xF0A7, 0xF0A8, 0xF0B7, 0xF06E, 0xF071, 0xF076, 0xF0D8, 0xF0FC), "•")
_REPLACED = str.maketrans({**_LIGATURES, **BULLETS, **dict.fromkeys(map(ord, HYPHENS), "-")})
# Most words have none of these, and need no work.
_NOT_PLAIN = re.compile(f"[{HYPHENS}{_SOFT_HYPHEN}ﬀ-ﬆ\ue000-\uf8ff]")
_RAISED_DIGITS = str.maketrans("0123456789+-−=()", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾")  # noqa: RUF001 the signs
_LOWERED_DIGITS = str.maketrans("0123456789+-−=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎")  # noqa: RUF001 the signs

_UPSIDE_DOWN = Matrix(1.0, 0.0, 0.0, -1.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Run:
    """A word in a frame where its text runs to the right.

    left, right: its ends. base: its base line, y downwards. size: of its font.
    """

    text: str
    left: float
    right: float
    base: float
    size: float
    bold: bool
    italic: bool

    @property
    def top(self) -> float:
        return self.base - _ASCENT * self.size

    @property
    def bottom(self) -> float:
        return self.base + _DESCENT * self.size


@dataclass(frozen=True, slots=True)
class Frame:
    """The words of one direction.

    angle: of the text, in degrees counterclockwise. from_page, to_page: between the page and the frame.
    """

    angle: int
    from_page: Matrix
    to_page: Matrix
    runs: tuple[Run, ...]


def frames_of(pieces: Sequence[Piece]) -> list[Frame]:
    """Return the words by direction, the direction with most text first."""
    by_angle: dict[int, list[Piece]] = defaultdict(list)
    for piece in pieces:
        by_angle[piece.style.angle].append(piece)
    frames = [_frame(angle, found) for angle, found in by_angle.items()]
    return sorted(frames, key=lambda frame: -sum(len(run.text) for run in frame.runs))


def _frame(angle: int, pieces: Sequence[Piece]) -> Frame:
    to_frame = turned(angle).then(_UPSIDE_DOWN)
    to_page = _UPSIDE_DOWN.then(turned(-angle % 360))
    runs = [_joined(parts) for parts in _by_word(_run(piece, to_frame) for piece in pieces)]
    return Frame(angle, to_frame, to_page, tuple(_without_duplicates(run for run in runs if run.text)))


def _run(piece: Piece, to_frame: Matrix) -> tuple[int, Run]:
    left, base = to_frame.point(*piece.start)
    right, _ = to_frame.point(*piece.end)
    style = piece.style
    return piece.word, Run(piece.text, left, max(left, right), base, style.size, style.bold, style.italic)


def _by_word(runs: Iterable[tuple[int, Run]]) -> Iterator[list[Run]]:
    """Group the parts of a word; a part on another line begins a new one."""
    group: list[Run] = []
    current = -1
    for number, run in runs:
        if group and (number != current or not _adjoins(group[-1], run)):
            yield group
            group = []
        group.append(run)
        current = number
    if group:
        yield group


def _adjoins(left: Run, right: Run) -> bool:
    size = max(left.size, right.size)
    return abs(right.base - left.base) < 0.6 * size and -0.5 * size < right.left - left.right < size


def _joined(parts: Sequence[Run]) -> Run:
    if len(parts) == 1 and not _NOT_PLAIN.search(parts[0].text):
        return parts[0]
    main = max(parts, key=lambda part: (part.size, len(part.text)))
    text = "".join(_shifted(part, main) for part in parts).translate(_REPLACED)
    return replace(
        main,
        text=_without_soft_hyphens(text),
        left=min(part.left for part in parts),
        right=max(part.right for part in parts),
    )


def _shifted(part: Run, main: Run) -> str:
    if part.size > _SMALLER * main.size:
        return part.text
    rise = (main.base - part.base) / main.size
    if rise > _RAISED:
        return part.text.translate(_RAISED_DIGITS)
    return part.text.translate(_LOWERED_DIGITS) if rise < -_LOWERED else part.text


def _without_soft_hyphens(text: str) -> str:
    """Remove soft hyphens, except one at the end of a line."""
    end = _SOFT_HYPHEN if text.endswith(_SOFT_HYPHEN) else ""
    return text.replace(_SOFT_HYPHEN, "") + end


def _without_duplicates(runs: Iterable[Run]) -> Iterator[Run]:
    """Leave out a word that is drawn again in nearly the same place; the first one becomes bold."""
    places: dict[tuple[str, int], list[int]] = defaultdict(list)
    kept: list[Run] = []
    for run in runs:
        key = run.text, round(run.base / max(run.size, 1.0))
        near = [n for row in (-1, 0, 1) for n in places.get((key[0], key[1] + row), ())]
        same = next((n for n in near if _is_same_place(kept[n], run)), None)
        if same is None:
            places[key].append(len(kept))
            kept.append(run)
        else:
            kept[same] = replace(kept[same], bold=True)
    yield from kept


def _is_same_place(one: Run, other: Run) -> bool:
    near = _SAME_PLACE * max(one.size, other.size)
    return abs(one.left - other.left) < near and abs(one.base - other.base) < near
