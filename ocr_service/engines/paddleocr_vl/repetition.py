"""Repetition loops: a VLM that falls into one repeats a pattern until its limit of tokens.

vLLM ends such a text while it is generated, if the request has `VLLM_DETECTION`. vLLM before 0.17 ignores
this field, and no vLLM sees a loop whose numbers grow, so the finished text is checked as well.

Pages repeat themselves, too: empty rows, lines to write on, leaders of dots. But a page has room for about 60
rows. The numbers separate the two kinds of texts in tests/paddleocr_vl/repetition_corpus.py.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

# More often than a page has room for a row.
_MANY = 64
# 64 short patterns can be a few lines, as in "0 + 0 + 0 + …".
_MIN_LOOP = 1024
# A longer pattern needs fewer repetitions, if they have more characters than a page has room for.
_FEW, _PAGE = 8, 6000
# Of the 64 repetitions in tokens that vLLM finds, nearly all are repetitions in characters.
_FOUND_BY_VLLM = 32
# Seats and lots are numbered beyond 64.
_MANY_NUMBERS = 256
# Numbers that grow in one repetition, such as "4.1.2, page 5".
_MOST_NUMBERS = 8
_PROBE = 16

VLLM_DETECTION = {"min_pattern_size": 8, "max_pattern_size": 128, "min_count": _MANY}
"""In tokens: 512 equal tokens are a loop, and so are 64 equal rows of 8 to 128 tokens.

With larger patterns, each token costs vLLM more, and newer releases refuse the request.
"""

_NUMBER = re.compile(r"(\d{1,9})(\D*)")


def loop_end(text: str, found_by_vllm: bool = False) -> int | None:
    """Return where the first repetition ends, if the text ends with a loop; else None.

    found_by_vllm: there is a loop, which is only to be located.
    """
    loops = [
        (length, period)
        for length, period in _periods_at_end(text)
        if _is_loop(length, period, found_by_vllm)
    ]
    if not loops:
        return None
    length, period = max(loops)
    return len(text) - length + period


def counting_end(text: str) -> int | None:
    """Return where the first repetition ends, if the text ends with a loop whose numbers grow; else None.

    A long list of numbered lines looks the same, so this is for a text that was cut off.
    """
    # The last item may be cut off.
    items = list(_NUMBER.finditer(text))[:-1]
    for numbers in range(1, _MOST_NUMBERS + 1):
        growing = _growing(items, numbers)
        length = items[-1].end() - items[-growing].start() if growing else 0
        if growing >= _MANY_NUMBERS * numbers or (growing >= _MANY * numbers and length >= _PAGE):
            return items[-growing - numbers - 1].end()
    return None


def _growing(items: Sequence[re.Match[str]], period: int) -> int:
    """Return how many numbers at the end grow as one period before, with the same text after them."""
    count = 0
    for new, old, oldest in zip(
        reversed(items), reversed(items[:-period]), reversed(items[: -2 * period]), strict=False
    ):
        if new[2] != old[2] or int(new[1]) - int(old[1]) != int(old[1]) - int(oldest[1]):
            break
        count += 1
    return count


def _is_loop(length: int, period: int, found_by_vllm: bool) -> bool:
    count = length // period
    if found_by_vllm:
        return count >= _FOUND_BY_VLLM
    return (count >= _MANY and length >= _MIN_LOOP) or (count >= _FEW and length >= _PAGE)


def _periods_at_end(text: str) -> Iterator[tuple[int, int]]:
    """Yield the longest ends of the text that have a period: the length and the period, both increasing."""
    tail, nearest = text[-_PROBE:], 1
    while nearest <= len(text) and (start := text.rfind(tail, 0, len(text) - nearest)) >= 0:
        period = len(text) - len(tail) - start
        length = period + _matching(text, period)
        yield length, period
        # A longer end cannot have a shorter period than this (theorem of Fine and Wilf).
        nearest = max(period, length - period) + 1


def _matching(text: str, period: int) -> int:
    """Return how many characters at the end equal the characters one period before."""
    end, most = len(text), len(text) - period

    def differ(number: int) -> bool:
        return text[end - number :] != text[end - period - number : end - period]

    high = 1
    while high < most and not differ(high):
        high *= 2
    return bisect_left(range(min(high, most) + 1), True, key=differ) - 1
