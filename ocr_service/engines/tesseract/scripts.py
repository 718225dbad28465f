"""One script for each word: Latin and Cyrillic letters that look alike. Pure functions.

With languages of both scripts, Tesseract reads short words now and then in the wrong one. The words beside
them tell more than the line: commands and names of files stand in Russian lines, and whole lines of code.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ocr_service.layout.words import Line, Word

_LATIN = "ABCEHKMOPTXYacekopxy"
_CYRILLIC = "АВСЕНКМОРТХУасекорху"
_TO_CYRILLIC = str.maketrans(_LATIN, _CYRILLIC)
_TO_LATIN = str.maketrans(_CYRILLIC, _LATIN)

_LETTERS = re.compile(r"[^\W\d_]+")
DISTINCT_LATIN = re.compile(rf"(?![{_LATIN}])[A-Za-z]")
DISTINCT_CYRILLIC = re.compile(rf"(?![{_CYRILLIC}])[А-Яа-яЁё]")  # noqa: RUF001
# Legal forms of companies, and words that are no Latin abbreviations. Other short words in capitals, such as
# HA and PC, can be Latin in a Russian line.
_RUSSIAN = {"OOO", "OAO", "AO", "TOO", "BO", "HE", "HO", "KO", "OT"}
# Letters of the usual prepositions, conjunctions and pronouns.
_SHORT = 2
# Letters that alone are no Russian words: symbols, variables and commands.
_SYMBOL = re.compile(r"[рехpex][,;:]?")  # noqa: RUF001
# Signs of code and options, as in `[-e`, `-ccc` and `(=pop)`; code is Latin.
_CODE = re.compile(r"[=_/\\@]|^\W*-([^\W\d_])\1*\W*$")
# Words of which Tesseract is less sure are often no words.
_SURE = 0.5


def with_one_script(lines: Sequence[Line]) -> list[Line]:
    """Return the lines with each word in one script.

    Words with figures stay as they are, because codes mix both, except in Latin text.
    """
    page = _balance(word.text for line in lines for word in line.words if _is_sure(word))
    return [_line_of_one_script(line, page) for line in lines]


def _balance(texts: Iterable[str]) -> int:
    """Return how many more letters are Cyrillic than Latin; letters that look alike do not count."""
    return sum(len(DISTINCT_CYRILLIC.findall(text)) - len(DISTINCT_LATIN.findall(text)) for text in texts)


def _is_sure(word: Word) -> bool:
    return word.confidence is None or word.confidence >= _SURE


def _line_of_one_script(line: Line, page: int) -> Line:
    """Return the line with each word in one script; page: balance of the page."""
    read = [word.text for word in line.words]
    balances = [_balance([text]) for text in read]
    texts = [
        _in_script(text, -1)
        if _is_symbol(text, read[:number], read[number + 1 :])
        else _token(text, _balance_beside(text, balances[:number], balances[number + 1 :], page))
        for number, text in enumerate(read)
    ]
    if texts == read:
        return line
    words = (replace(word, text=text) for word, text in zip(line.words, texts, strict=True))
    return replace(line, words=tuple(words))


def _is_symbol(text: str, before: Sequence[str], after: Sequence[str]) -> bool:
    """Return whether a letter alone is a symbol: it is none beside numbers and other letters alone."""
    beside = (*before[-1:], *after[:1])
    return _SYMBOL.fullmatch(text) is not None and not any(
        (len(other) == 1 and other.isalpha()) or any(map(str.isdigit, other)) for other in beside
    )


def _balance_beside(text: str, before: Sequence[int], after: Sequence[int], page: int) -> int:
    """Return a balance for a word of letters that look alike, from the nearest other words; 0 if it stays.

    Between words of both scripts, a short word is Russian: names and commands stand in Russian lines. A
    longer one can be either, and so can a word between Latin words of a Russian page.
    """
    near = [balance for side in (before[::-1], after) if (balance := next(filter(None, side), 0))]
    if not near:
        return page
    if max(near) < 0:
        return min(page, 0)
    is_short = sum(map(str.isalpha, text)) <= _SHORT
    return max(near) if min(near) > 0 or is_short else 0


def _token(text: str, balance: int) -> str:
    if any(character.isdigit() for character in text):
        return text if balance >= 0 or DISTINCT_CYRILLIC.search(text) else _in_script(text, balance)
    balance = _balance([text]) or balance
    is_code = _CODE.search(text) is not None
    if is_code and balance > 0:
        return text
    return _LETTERS.sub(lambda found: _word(found[0], -1 if is_code else balance), text)


def _word(word: str, balance: int) -> str:
    own = _balance([word])
    if own:
        # Letters of both scripts that do not look alike: one of them is misread, and which is unknown.
        is_sure = not (DISTINCT_LATIN.search(word) and DISTINCT_CYRILLIC.search(word))
        return _in_script(word, own) if is_sure else word
    if balance > 0 and len(word) > 1 and word.isupper() and word.isascii() and word not in _RUSSIAN:
        return word
    return _in_script(word, balance)


def _in_script(word: str, balance: int) -> str:
    if not balance:
        return word
    return word.translate(_TO_CYRILLIC if balance > 0 else _TO_LATIN)
