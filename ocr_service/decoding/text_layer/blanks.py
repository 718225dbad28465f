"""Blanks between words that PDFium leaves out.

PDFium takes all character spacing for spacing of letters. Some programs write the blank between two letters
in this way, among them Ghostscript. So the gaps between the characters are measured.
"""

import math
import re
from collections.abc import Callable, Sequence
from itertools import pairwise

# A smaller share of the font size is no blank. A gap must be wider than the usual one of the word by this
# share, or nearly as wide as the blanks beside the word: letter spacing is neither.
_BLANK = 0.2
_NEARLY = 0.8
# Points. PDFium's places have an error of this size, which matters in letters too small to be seen.
_ERROR = 0.01

# Chinese and Japanese have no blanks, also not beside Latin letters.
_WITHOUT_BLANKS = re.compile("[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")


def gaps_of(edges: Sequence[tuple[float, float]]) -> list[float]:
    """Return the gap before each character but the first one.

    edges: the near and the far edge of each character. An accent goes back over its letter, so a gap begins
    behind all characters before it. Letters from right to left have no gaps here.
    """
    high = edges[0][1]
    gaps = []
    for near, far in edges[1:]:
        gaps.append(near - high)
        if far > high:
            high = far
    return gaps


def blanks_of(
    text: str, edges: Sequence[tuple[float, float]], size: float, beside: Callable[[], Sequence[float]]
) -> list[int]:
    """Return the positions in a word before which a blank is missing.

    size: of the font. beside: returns the widths of the blanks beside the word; called only if a gap is wide.
    """
    gaps = gaps_of(edges)
    if max(gaps) <= max(_BLANK * size, _ERROR):
        return []
    # Some fonts state a size that is much too small.
    blank = _BLANK * max(size, max(far - near for near, far in edges))
    # The lower quartile: half of the gaps can be blanks, if words are short. One gap alone tells nothing.
    usual = max(0.0, sorted(gaps)[len(gaps) // 4]) if len(gaps) > 1 else math.inf
    widest = max((width for width in beside() if width > blank), default=math.inf)
    least = min(usual + blank, _NEARLY * widest)
    return [
        place
        for place, (gap, (left, right)) in enumerate(zip(gaps, pairwise(text), strict=True), start=1)
        if gap > blank and gap >= least and _may_be_apart(left, right)
    ]


def _may_be_apart(left: str, right: str) -> bool:
    """Return whether a blank can be between two characters; none is between the dots of a leader."""
    if _WITHOUT_BLANKS.match(left) or _WITHOUT_BLANKS.match(right):
        return False
    return left.isalnum() or right.isalnum()
