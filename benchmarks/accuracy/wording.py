"""Texts in the form in which they are compared."""

import re
import unicodedata

_SIGNS = str.maketrans(
    {
        **dict.fromkeys("“”„«»″‟", '"'),
        **dict.fromkeys("‘’‚‹›′", "'"),  # noqa: RUF001
        **dict.fromkeys("–—−‐‑‒", "-"),  # noqa: RUF001
        **dict.fromkeys("\u00a0\u2009\u202f\u2007\f", " "),
        **dict.fromkeys("\u00ad\ufeff\u200b", ""),
        "…": "...",
        "×": "x",  # noqa: RUF001
        "ﬁ": "fi",
        "ﬂ": "fl",
        "ﬀ": "ff",
        "ﬃ": "ffi",
        "ﬄ": "ffl",
    }
)
_BULLET = re.compile(r"^\s*[•●▪◦·*■-]\s+", re.MULTILINE)
_BROKEN_WORD = re.compile(r"(?<=[^\W\d_])-\s*\n\s*(?=[^\W\d_])")
_WORD = re.compile(r"[^\W_]+")
# Cyrillic letters, each beside the Latin one that looks like it.
_ALIKE = str.maketrans("АВЕКМНОРСТУХаекмнорстух", "ABEKMHOPCTYXaekmhopctyx")


def compared(text: str) -> str:
    """Unify quotes, dashes and spaces, drop bullets, and join words that are broken at the end of a line."""
    signs = unicodedata.normalize("NFC", text).translate(_SIGNS)
    return " ".join(_BROKEN_WORD.sub("", _BULLET.sub("", signs)).split())


def words(text: str) -> list[str]:
    """Return the words and numbers of a text."""
    return _WORD.findall(compared(text))


def dense(text: str) -> str:
    """Return the text without spaces, as those in sums of money differ."""
    return compared(text).replace(" ", "")


def skeleton(word: str) -> str:
    """Return the word in letters of one script, in which words that look alike are equal."""
    return word.translate(_ALIKE).lower()


def is_mixed(word: str) -> bool:
    """Whether a word has letters of both scripts."""
    letters = [letter for letter in word if letter.isalpha()]
    cyrillic = sum("\u0400" <= letter <= "\u04ff" for letter in letters)
    return 0 < cyrillic < len(letters)
