"""One script for each word: Latin and Cyrillic letters that look alike. Pure functions.

With languages of both scripts, Tesseract reads short words now and then in the wrong one.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ocr_service.layout.words import Line

_LATIN = "ABCEHKMOPTXYaceopxy"
_CYRILLIC = "АВСЕНКМОРТХУасеорху"  # noqa: RUF001
_TO_CYRILLIC = str.maketrans(_LATIN, _CYRILLIC)
_TO_LATIN = str.maketrans(_CYRILLIC, _LATIN)

_LETTERS = re.compile(r"[^\W\d_]+")
_DISTINCT_LATIN = re.compile(rf"(?![{_LATIN}])[A-Za-z]")
_DISTINCT_CYRILLIC = re.compile(rf"(?![{_CYRILLIC}])[А-Яа-яЁё]")  # noqa: RUF001
# Legal forms of companies. Other short words in capitals can be Latin in a Russian line.
_LEGAL_FORMS = {"OOO", "OAO", "AO", "TOO"}


def with_one_script(lines: Sequence[Line]) -> list[Line]:
    """Return the lines with each word in one script; words with figures stay as they are: codes mix both."""
    page = _balance(line.text for line in lines)
    return [_line_of_one_script(line, _balance([line.text]) or page) for line in lines]


def _balance(texts: Iterable[str]) -> int:
    """Return how many more letters are Cyrillic than Latin; letters that look alike do not count."""
    return sum(len(_DISTINCT_CYRILLIC.findall(text)) - len(_DISTINCT_LATIN.findall(text)) for text in texts)


def _line_of_one_script(line: Line, balance: int) -> Line:
    """Return the line in one script; balance: that of the line, or of the page if the line has none."""
    texts = [_token(word.text, balance) for word in line.words]
    if texts == [word.text for word in line.words]:
        return line
    words = (replace(word, text=text) for word, text in zip(line.words, texts, strict=True))
    return replace(line, words=tuple(words))


def _token(text: str, balance: int) -> str:
    if any(character.isdigit() for character in text):
        return text
    return _LETTERS.sub(lambda found: _word(found[0], balance), text)


def _word(word: str, balance: int) -> str:
    own = _balance([word])
    if own:
        # Letters of both scripts that do not look alike: one of them is misread, and which is unknown.
        is_sure = not (_DISTINCT_LATIN.search(word) and _DISTINCT_CYRILLIC.search(word))
        return _in_script(word, own) if is_sure else word
    if balance > 0 and len(word) > 1 and word.isupper() and word.isascii() and word not in _LEGAL_FORMS:
        return word
    return _in_script(word, balance)


def _in_script(word: str, balance: int) -> str:
    if not balance:
        return word
    return word.translate(_TO_CYRILLIC if balance > 0 else _TO_LATIN)
