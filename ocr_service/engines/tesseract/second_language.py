"""Words in the wrong one of two languages: Cyrillic words in English lines, and in addresses.

Each is read again, in the languages with Latin letters alone. The other way is rare: Latin words in a Russian
line are right as a rule.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ocr_service.engines.tesseract.instances import Instances
from ocr_service.engines.tesseract.pictures import Picture
from ocr_service.engines.tesseract.scripts import DISTINCT_CYRILLIC, DISTINCT_LATIN
from ocr_service.layout.words import Line, Word

# E-mail and web addresses are Latin, in any line.
_ADDRESS = re.compile(r"\w@\w|://|^www\.")
_CYRILLIC = re.compile(r"[А-Яа-яЁё]")  # noqa: RUF001
_CYRILLIC_LANGUAGES = frozenset(("rus", "ukr", "bel", "bul", "mkd", "srp", "kaz", "kir", "script/Cyrillic"))
_LATIN_LANGUAGES = frozenset(("eng", "deu", "fra", "spa", "ita", "por", "nld", "pol", "script/Latin"))

# Share of the letters of a line, or of the page if the line has few, that makes it a line of Latin letters.
_MAJORITY = 0.75
# On a page with fewer Latin letters, Latin words stand in lines of the other language.
_HALF = 0.5
_FEWEST_LETTERS = 8
# Pixels around a word.
_MARGIN = 6
# A word in the right language is read as surely as in the wrong one, or nearly.
_TOLERANCE = 0.1


def with_latin_words(
    instances: Instances, lang: str, picture: Picture, lines: Sequence[Line]
) -> Sequence[Line]:
    """Return the lines of a picture, with the Cyrillic words of Latin lines and addresses read again.

    lang: languages of the first reading; nothing is done if they have one script.
    """
    names = lang.split("+")
    latin = "+".join(name for name in names if name in _LATIN_LANGUAGES)
    if not latin or _CYRILLIC_LANGUAGES.isdisjoint(names):
        return lines
    page = " ".join(line.text for line in lines)
    reader = _LatinReader(instances, latin, picture)
    of_page, may_be_latin = _is_latin(page, if_short=False), (_latin_share(page) or 0.0) >= _HALF
    return [
        _read_again(reader, line, of_page, may_be_latin) if _CYRILLIC.search(line.text) else line
        for line in lines
    ]


def _is_latin(text: str, *, if_short: bool) -> bool:
    """Return whether text is of Latin letters; if_short: the answer for text that is too short to tell."""
    letters = sum(map(str.isalpha, text))
    share = _latin_share(text)
    return if_short if letters < _FEWEST_LETTERS or share is None else share >= _MAJORITY


def _latin_share(text: str) -> float | None:
    """Return the share of Latin letters. Letters that look alike do not count; None without others."""
    latin, cyrillic = len(DISTINCT_LATIN.findall(text)), len(DISTINCT_CYRILLIC.findall(text))
    return latin / (latin + cyrillic) if latin + cyrillic else None


def _read_again(reader: "_LatinReader", line: Line, of_page: bool, may_be_latin: bool) -> Line:
    if may_be_latin:
        # A misread word must not count for its own script.
        for number, word in enumerate(line.words):
            if _is_misread(word) and _is_latin(_without(line, number), if_short=False):
                again = reader.read(word, tolerance=0.0)
                # A letter of the other script can look like a sign, as in `@ain`.
                line = _replaced(line, number, again if _signs(again) <= _signs(word) else word)
    is_latin = _is_latin(line.text, if_short=of_page)
    for number, word in enumerate(line.words):
        if _is_misread(word) and (is_latin or _ADDRESS.search(word.text)):
            line = _replaced(line, number, reader.read(word, _TOLERANCE))
    return line


def _without(line: Line, number: int) -> str:
    return " ".join(word.text for word in (*line.words[:number], *line.words[number + 1 :]))


def _signs(word: Word) -> set[str]:
    return {character for character in word.text if not character.isalnum()}


def _replaced(line: Line, number: int, word: Word) -> Line:
    return replace(line, words=(*line.words[:number], word, *line.words[number + 1 :]))


def _is_misread(word: Word) -> bool:
    """Return whether a word has Cyrillic letters; numbers and codes stay."""
    letters = sum(character.isalpha() for character in word.text)
    digits = sum(character.isdigit() for character in word.text)
    return letters > digits and _CYRILLIC.search(word.text) is not None


@dataclass(frozen=True, slots=True)
class _LatinReader:
    """Reads words of a picture in languages with Latin letters."""

    instances: Instances
    languages: str
    picture: Picture

    def read(self, word: Word, tolerance: float) -> Word:
        """Return the word as read again, or the same word if it was read more surely, by this tolerance."""
        assert word.confidence is not None
        tesseract = self.instances.word_reader(self.languages)
        left, top, right, bottom = word.bbox
        rows = slice(max(0, top - _MARGIN), bottom + _MARGIN)
        crop = self.picture.grey[rows, max(0, left - _MARGIN) : right + _MARGIN]
        height, width = crop.shape
        try:
            tesseract.SetImageBytes(np.ascontiguousarray(crop).tobytes(), width, height, 1, width)
            tesseract.SetSourceResolution(self.picture.resolution or 0)
            text, confidence = tesseract.GetUTF8Text().strip(), tesseract.MeanTextConf() / 100
        except RuntimeError:
            return word
        finally:
            tesseract.Clear()
        if len(text.split()) != 1 or confidence < word.confidence - tolerance:
            return word
        return replace(word, text=text, confidence=confidence)
