"""Warnings that engines share."""

from itertools import accumulate

from PIL import Image

from ocr_service.core.documents import PageWarning, WarningCode

# Measured on A4: blank pages with noise, dust, shadows, folds or stains have at most 0.00001 of ink, a word
# of ten letters has 0.0007. The margins, with punch holes and the shadow of the scanner, do not count.
_LONGEST_SIDE = 1000
_MARGIN = 1 / 12
_CONTRAST = 64
_MIN_INK = 0.0003


def no_text(image: Image.Image) -> tuple[PageWarning, ...]:
    """Return a warning if a page without text is not blank; no warning if it is."""
    if is_blank(image):
        return ()
    return (PageWarning(WarningCode.NO_TEXT, "The page is not blank, but no text was found on it."),)


def is_blank(image: Image.Image) -> bool:
    """Return whether nothing is on the page, except for noise, dust, shadows and the edges of a scan."""
    return _ink(image) < _MIN_INK


def rotated(degrees: int) -> PageWarning:
    """Return the warning for a page that the engine rotated; degrees: counterclockwise."""
    detail = (
        f"The page was rotated by {degrees} degrees counterclockwise before it was read; "
        "positions refer to the rotated page."
    )
    return PageWarning(WarningCode.ROTATED, detail)


def _ink(image: Image.Image) -> float:
    """Return the share of pixels that differ from the background, without the margins."""
    small = image.reduce(-(-max(image.size) // _LONGEST_SIDE)).convert("L")
    left, top = int(small.width * _MARGIN), int(small.height * _MARGIN)
    counts = small.crop((left, top, small.width - left, small.height - top)).histogram()
    pixels = sum(counts)
    background = next(value for value, sofar in enumerate(accumulate(counts)) if sofar >= pixels / 2)
    return sum(n for value, n in enumerate(counts) if abs(value - background) > _CONTRAST) / pixels
