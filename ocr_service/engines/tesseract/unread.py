"""Text that no word covers: Tesseract takes rows for pictures, or loses them at edges of bands and boxes."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

import cv2
import numpy as np
from cv2.typing import MatLike

from ocr_service.core.documents import Box
from ocr_service.engines.tesseract.instances import Instances
from ocr_service.engines.tesseract.pictures import Grey, Picture
from ocr_service.engines.tesseract.reading import Reading, recognize_row
from ocr_service.layout.pixels.ruling_lines import long_runs, scale_of
from ocr_service.layout.words import Line, Word

# All in the small copy in which lines are searched. A letter is at least so high, in pixels, and at most so
# many times as high as the small letters of the page.
_LOWEST = 4
_HIGHEST = 4
# Letters of one row are nearer to each other than this, in heights of small letters.
_GAP = 4.0
# A row is at least so many times as wide as it is high, and a line across it crosses so many strokes.
_WIDE = 5
_FEWEST_STROKES = 8
# Around a word, in heights of its small letters: signs that were dropped, and edges.
_BESIDE, _ABOVE = 1.0, 0.5
# Around a row that is read, as a share of its height.
_MARGIN = 0.25
# A row is text if Tesseract is so sure of half of its words. A word of which it is less sure can be no word.
_SURE, _DOUBTFUL = 0.6, 0.5
# More rows are texture, or a page that Tesseract cannot read.
_MOST_ROWS = 40
_LINE_EDGE = np.ones((3, 3), np.uint8)


def with_unread_rows(instances: Instances, lang: str, reading: Reading, deadline: float) -> Reading:
    """Read the rows that no word covers, each alone; deadline: as `time.monotonic()` says."""
    rows = unread_rows(reading.picture, reading.lines)
    lines, unread = list(reading.lines), 0
    for number, row in enumerate(rows):
        milliseconds = round((deadline - time.monotonic()) * 1000)
        is_left = number >= _MOST_ROWS or milliseconds <= 0
        line = None if is_left else _read(instances.reader(lang), reading.picture, row, milliseconds)
        if line and median(map(_confidence, line.words)) >= _SURE:
            lines.insert(_place_of(line, lines), line)
        unread += line is None or min(map(_confidence, line.words)) < _DOUBTFUL
    return replace(reading, lines=lines, unread=unread)


def _read(tesseract: Any, picture: Picture, row: Box, milliseconds: int) -> Line | None:
    left, top, right, bottom = row
    margin = round((bottom - top) * _MARGIN)
    left, top = max(0, left - margin), max(0, top - margin)
    grey = picture.grey[top : bottom + margin, left : right + margin]
    line = recognize_row(tesseract, _even(grey), picture.resolution, milliseconds)
    return _moved(line, left, top) if line else None


def _even(grey: Grey) -> Grey:
    """Divide a row of text by the paper beside its letters: edges of bands can lie across them."""
    paper = cv2.morphologyEx(grey, cv2.MORPH_CLOSE, np.ones((1, 2 * grey.shape[0]), np.uint8))
    return np.asarray(cv2.divide(grey, paper, scale=255), np.uint8)


def _moved(line: Line, right: int, down: int) -> Line:
    words = tuple(replace(word, bbox=_moved_box(word.bbox, right, down)) for word in line.words)
    return replace(line, words=words, bbox=_moved_box(line.bbox, right, down), opens_block=False)


def _moved_box(box: Box, right: int, down: int) -> Box:
    return box[0] + right, box[1] + down, box[2] + right, box[3] + down


def _confidence(word: Word) -> float:
    assert word.confidence is not None
    return word.confidence


def _place_of(line: Line, lines: Sequence[Line]) -> int:
    """Return the place in the reading order: after the line at its left, or the nearest one above it."""
    before = [number for number, other in enumerate(lines) if _is_before(other, line)]
    if before:
        return 1 + max(before, key=lambda number: lines[number].bbox[3])
    after = (number for number, other in enumerate(lines) if other.bbox[1] > line.bbox[1])
    return next(after, len(lines))


def _is_before(other: Line, line: Line) -> bool:
    left, top, right, bottom = other.bbox
    middle = (line.bbox[1] + line.bbox[3]) / 2
    if top <= middle < bottom:
        return right <= line.bbox[0] + line.height
    return bottom <= middle and left < line.bbox[2] and line.bbox[0] < right


def unread_rows(picture: Picture, lines: Sequence[Line]) -> list[Box]:
    """Return the rows of ink in the size of letters that no word covers, in pixels of the picture."""
    scale = scale_of(picture.grey)
    ink = picture.ink.copy()
    for line in lines:
        _clear_words(ink, line, scale)
    if not lines or cv2.countNonZero(ink) < _LOWEST * _FEWEST_STROKES:
        return []
    small_letters = median(line.height for line in lines) / scale
    letters = _in_size_of_letters(_without_long_runs(ink), _HIGHEST * small_letters)
    rows = _rows(letters, small_letters)
    return [(left * scale, top * scale, right * scale, bottom * scale) for left, top, right, bottom in rows]


def _clear_words(ink: MatLike, line: Line, scale: int) -> None:
    beside, above = line.height * _BESIDE, line.height * _ABOVE
    for word in line.words:
        left, top, right, bottom = word.bbox
        rows = slice(max(0, round((top - above) / scale)), round((bottom + above) / scale) + 1)
        ink[rows, max(0, round((left - beside) / scale)) : round((right + beside) / scale) + 1] = 0


def _without_long_runs(ink: MatLike) -> MatLike:
    """Remove ruling lines."""
    across, down = long_runs(ink), long_runs(cv2.transpose(ink))
    for runs in (across, None if down is None else cv2.transpose(down)):
        if runs is not None:
            ink = cv2.subtract(ink, cv2.dilate(runs, _LINE_EDGE))
    return ink


def _in_size_of_letters(ink: MatLike, highest: float) -> MatLike:
    """Return the connected ink that is neither dust nor a part of a picture, as 1."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(ink)
    heights = stats[:, cv2.CC_STAT_HEIGHT]
    kept = (heights >= _LOWEST) & (heights <= highest)
    kept[0] = False  # the paper
    return np.asarray(kept[labels], np.uint8)


def _rows(letters: MatLike, small_letters: float) -> Iterator[Box]:
    reach = np.ones((1, max(3, round(_GAP * small_letters))), np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(cv2.morphologyEx(letters, cv2.MORPH_CLOSE, reach))
    for label, (left, top, width, height, _) in enumerate(stats[1:].tolist(), start=1):
        place = slice(top, top + height), slice(left, left + width)
        if width >= _WIDE * height and height <= _HIGHEST * small_letters:
            row = letters[place] * (labels[place] == label)
            if np.count_nonzero(row[:, 1:] > row[:, :-1], axis=1).max() >= _FEWEST_STROKES:
                yield left, top, left + width, top + height
