"""The reasons not to use the text layer of a page instead of its picture."""

from collections.abc import Sequence

from ocr_service.decoding.text_layer.characters import HYPHENS, Piece
from ocr_service.decoding.text_layer.geometry import Rect
from ocr_service.decoding.text_layer.painting import Painting
from ocr_service.decoding.text_layer.plausibility import is_plausible
from ocr_service.decoding.text_layer.replacements import is_harmless
from ocr_service.decoding.text_layer.runs import Frame
from ocr_service.decoding.text_layer.visibility import SortedPieces, covered_share

# Share of the page that pictures and other unread parts may cover, and their number.
_MAX_COVERED = 0.5
_MAX_REGIONS = 8
# Share of the characters without a known meaning.
_MAX_UNKNOWN = 0.01


def flaw_of(
    painting: Painting,
    regions: Sequence[Rect],
    found: SortedPieces,
    frames: Sequence[Frame],
    unknown: int,
    *,
    has_wrong_digits: bool,
) -> str | None:
    """Return the first reason, as a sentence; None if the text is good."""
    visible = sum(len(piece.text) for piece in found.visible)
    invisible = sum(len(piece.text) for piece in found.invisible)
    words = [run.text for frame in frames for run in frame.runs]
    reasons = (
        (not painting.is_complete, "The page has too many objects to check its text."),
        (covered_share(painting.page, regions) > _MAX_COVERED, "A picture covers most of the page."),
        (len(regions) > _MAX_REGIONS, "The page has many pictures or form fields."),
        (invisible > visible, "The text is invisible: it was probably recognized in a scan."),
        (bool(found.hidden), "Parts of the text are perhaps not seen: they are clipped, covered, or white."),
        (any(map(_is_doubtful, found.visible)), "The file states text that can differ from what it draws."),
        (unknown > _MAX_UNKNOWN * visible, "The meaning of many characters is not known."),
        (any(_is_vertical(frame) for frame in frames), "The text is written vertically."),
        (bool(frames) and frames[0].angle % 90 != 0, "Most of the text is skewed."),
        (has_wrong_digits, "Digits look like other ones than the file says."),
        (not is_plausible(words), "The letters are not those of a language."),
    )
    return next((sentence for holds, sentence in reasons if holds), None)


def _is_doubtful(piece: Piece) -> bool:
    return piece.style.is_stated and not is_harmless(piece.text.strip(HYPHENS))


def _is_vertical(frame: Frame) -> bool:
    """Return whether the characters stand below each other: then the words have no width."""
    long = [run for run in frame.runs if len(run.text) > 2]
    narrow = sum(run.right - run.left < run.size for run in long)
    return len(long) > 2 and narrow > len(long) / 2
