"""Lines → one text, with hyphenated words joined. Pure functions."""

import re
from collections.abc import Sequence

_HYPHENS = "-\u00ad\u2010¬"
# Russian words with a hyphen: the part before it, and the part after it.
_SPELT_WITH_HYPHEN = tuple(
    (re.compile(rf"\b(?:{before})$", re.IGNORECASE), re.compile(rf"^(?:{after})\b", re.IGNORECASE))
    for before, after in (
        (r"кто|что|кого|чего|кому|чему|кем|чем|как|где|когда|куда|откуда|почему|как\w+|чь\w+", "то|либо"),
        (r"\w+", "нибудь|таки"),
        ("из", "за|под"),
        ("кое", r"\w+"),
        ("по", r"\w+(?:ому|ему|ски|цки|ьи)"),
        ("во", r"(?:перв|втор|трет|четверт|четвёрт)\w+"),
    )
)


def join_lines(texts: Sequence[str]) -> str:
    """Join the lines of a paragraph to one text, and rejoin hyphenated words."""
    joined = texts[0]
    for text in texts[1:]:
        joined = _join(joined, text)
    return joined


def _join(left: str, right: str) -> str:
    broken = len(left) > 1 and left[-1] in _HYPHENS and left[-2].isalnum()
    if not broken:
        return f"{left} {right}"
    return (left[:-1] if _is_line_end_hyphen(left[:-1], right) else left) + right


def _is_line_end_hyphen(left: str, right: str) -> bool:
    """Return whether the hyphen only breaks the line; in words like A4-format it belongs to the word."""
    if not left[-1].isalpha():
        return False
    if any(before.search(left) and after.match(right) for before, after in _SPELT_WITH_HYPHEN):
        return False
    capitals = left[-2:].isupper() and len(left) > 1 and right[:2].isupper()
    return right[0].islower() or capitals
