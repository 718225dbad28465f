"""Readings of one page: a first one, and others where the page shows a sign that they help."""

import time
from dataclasses import dataclass, replace

from ocr_service.engines.page_warnings import is_blank
from ocr_service.engines.tesseract.instances import Instances
from ocr_service.engines.tesseract.inversion import with_dark_letters
from ocr_service.engines.tesseract.light import has_dark_areas, has_grain, with_even_light, without_specks
from ocr_service.engines.tesseract.orientation import possible_turns
from ocr_service.engines.tesseract.outline import flattened, sheet_corners
from ocr_service.engines.tesseract.pictures import Picture
from ocr_service.engines.tesseract.reading import Reading, recognize
from ocr_service.engines.tesseract.resolution import credible_resolution
from ocr_service.engines.tesseract.second_language import with_latin_words
from ocr_service.engines.tesseract.slope import slope_of
from ocr_service.engines.tesseract.touching_lines import without_touching_lines
from ocr_service.engines.tesseract.unread import with_unread_rows

# Measured: pages that lie on their side or upside down had at most 0.60, upright ones at least 0.82.
_DOUBTFUL = 0.7
# Tesseract reads the lines of a page well up to this slope, in degrees; tables need straighter ones.
_LEVEL = 0.3
# A page that is straightened or turned is worth a little text: its lines make better blocks.
_AS_GOOD = 0.95


@dataclass(frozen=True, slots=True)
class Attempts:
    """Readings of one page.

    deadline: when the page has to be read, as `time.monotonic()` says.
    """

    instances: Instances
    lang: str
    deadline: float

    def best(self, page: Picture, turn: int | None) -> Reading | None:
        """Read a page as decoded; return None if Tesseract cannot, or not in time.

        turn: degrees counterclockwise that make the page upright; None if they are to be found.
        """
        picture = page.turned(turn or 0)
        first = self._read(without_specks(picture) if has_grain(picture) else picture)
        if first is None:
            return None
        reading = self._of_sheet(first)
        if not reading.lines and is_blank(page.image):
            return reading
        if turn is None:
            reading = self._upright(reading)
        reading = self._in_even_light(self._straight(self._clean(reading)))
        reading = with_unread_rows(self.instances, self.lang, reading, self.deadline)
        lines = with_latin_words(self.instances, self.lang, reading.picture, reading.lines)
        return replace(reading, lines=lines)

    def _read(self, picture: Picture) -> Reading | None:
        """Read a picture, also without lines that touch letters; None if Tesseract cannot, or not in time."""
        reading = self._recognize(picture)
        free = without_touching_lines(picture) if reading else None
        other = self._recognize(free) if free else None
        if reading is None or other is None:
            return reading
        # The layout needs the lines: they can be those of a table.
        with_lines = replace(other.picture, pixels=picture.pixels)
        return _better(reading, replace(other, picture=with_lines), at_least=1.0)

    def _recognize(self, picture: Picture) -> Reading | None:
        milliseconds = round((self.deadline - time.monotonic()) * 1000)
        if milliseconds <= 0:
            return None
        picture = picture.at_resolution(credible_resolution(picture))
        return recognize(self.instances.reader(self.lang), picture, milliseconds)

    def _of_sheet(self, reading: Reading) -> Reading:
        """Read a sheet of paper in a photo alone."""
        corners = sheet_corners(reading.picture)
        flat = None if corners is None else flattened(reading.picture, corners)
        sheet = self._read(with_even_light(flat.at_resolution(None))) if flat else None
        if sheet is None:
            return reading
        if _is_doubtful(reading):
            # Scores of text that is upside down say nothing.
            return sheet.chosen_over(reading)
        # A shadow across a page can look like the edge of a sheet.
        return _better(self._in_even_light(reading), sheet, at_least=_AS_GOOD)

    def _upright(self, reading: Reading) -> Reading:
        """Turn a page that lies on its side or upside down."""
        best = reading
        for turn in self._turns(reading):
            best = self._tried(best, reading.picture.turned(turn), at_least=_AS_GOOD)
            if not _is_doubtful(best):
                break
        return best

    def _clean(self, reading: Reading) -> Reading:
        """Remove specks from a page that they make unreadable."""
        return self._tried(reading, without_specks(reading.picture)) if _is_doubtful(reading) else reading

    def _straight(self, reading: Reading) -> Reading:
        """Rotate a crooked page."""
        slope = slope_of(reading.picture) if _is_doubtful(reading) else reading.direction.slope
        if abs(slope) < _LEVEL:
            return reading
        return self._tried(reading, reading.picture.rotated(slope), at_least=_AS_GOOD)

    def _in_even_light(self, reading: Reading) -> Reading:
        """Brighten grey and coloured areas, and shadows; invert dark areas with light letters."""
        if not has_dark_areas(reading.picture):
            return reading
        return self._tried(reading, with_even_light(with_dark_letters(reading.picture)))

    def _turns(self, reading: Reading) -> tuple[int, ...]:
        if _is_doubtful(reading):
            return possible_turns(self.instances, reading.picture)
        return (reading.direction.turn,) if reading.direction.turn else ()

    def _tried(self, reading: Reading, picture: Picture | None, at_least: float = 1.0) -> Reading:
        """Read another picture of the page, if there is one, and return the better reading."""
        other = self._read(picture) if picture else None
        return _better(reading, other, at_least) if other else reading


def _better(reading: Reading, other: Reading, at_least: float) -> Reading:
    """Return the other reading if its score is higher, or at least this part of that of the first."""
    if other.score > reading.score * at_least:
        return other.chosen_over(reading)
    return reading.chosen_over(other)


def _is_doubtful(reading: Reading) -> bool:
    return reading.confidence is None or reading.confidence < _DOUBTFUL
