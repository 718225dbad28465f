"""Words in the wrong one of two languages: Cyrillic words in English lines, and in addresses.

Each is read again, in the languages with Latin letters alone. The other way is rare: Latin words in a Russian
line are right as a rule.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

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
    of_page = _is_latin(" ".join(line.text for line in lines), if_short=False)
    return [
        _read_again(instances, latin, picture, line, _is_latin(line.text, if_short=of_page))
        if _CYRILLIC.search(line.text)
        else line
        for line in lines
    ]


def _is_latin(text: str, *, if_short: bool) -> bool:
    """Return whether text is of Latin letters. Letters that look alike say nothing."""
    latin, cyrillic = len(DISTINCT_LATIN.findall(text)), len(DISTINCT_CYRILLIC.findall(text))
    if sum(map(str.isalpha, text)) < _FEWEST_LETTERS or not latin + cyrillic:
        return if_short
    return latin >= _MAJORITY * (latin + cyrillic)


def _read_again(instances: Instances, latin: str, picture: Picture, line: Line, is_latin: bool) -> Line:
    words = [
        _word(instances.word_reader(latin), picture, word)
        if _is_misread(word) and (is_latin or _ADDRESS.search(word.text))
        else word
        for word in line.words
    ]
    return replace(line, words=tuple(words))


def _is_misread(word: Word) -> bool:
    """Return whether a word has Cyrillic letters; numbers and codes stay."""
    letters = sum(character.isalpha() for character in word.text)
    digits = sum(character.isdigit() for character in word.text)
    return letters > digits and _CYRILLIC.search(word.text) is not None


def _word(tesseract: Any, picture: Picture, word: Word) -> Word:
    """Return the word as this instance reads it, or the same word if this reading is less sure."""
    assert word.confidence is not None
    left, top, right, bottom = word.bbox
    crop = picture.grey[max(0, top - _MARGIN) : bottom + _MARGIN, max(0, left - _MARGIN) : right + _MARGIN]
    height, width = crop.shape
    try:
        tesseract.SetImageBytes(np.ascontiguousarray(crop).tobytes(), width, height, 1, width)
        tesseract.SetSourceResolution(picture.resolution or 0)
        text, confidence = tesseract.GetUTF8Text().strip(), tesseract.MeanTextConf() / 100
    except RuntimeError:
        return word
    finally:
        tesseract.Clear()
    if len(text.split()) != 1 or confidence < word.confidence - _TOLERANCE:
        return word
    return replace(word, text=text, confidence=confidence)
