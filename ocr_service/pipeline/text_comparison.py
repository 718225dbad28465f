"""Compares recognized text with the text layer: a large difference is a warning. Pure functions."""

import re
from collections import Counter
from dataclasses import replace

from ocr_service.core.documents import PageResult, PageWarning, WarningCode
from ocr_service.decoding.text_layer.values import TextLayer

# Shorter texts differ too easily.
_MIN_LETTERS = 60
# Share of the letters in words that both texts have. Formulas and tables are written in another way, so that
# good pages have less than all: 0.75 and more.
_MIN_COMMON = 0.6
_WORD = re.compile(r"[^\W\d_]{2,}|\d+")
_TAG = re.compile(r"<[^>]{0,200}>")

_LACKS = PageWarning(
    WarningCode.TEXT_LAYER_DIFFERS, "Much of the text that the PDF itself holds was not found on the page."
)
_ADDS = PageWarning(
    WarningCode.TEXT_LAYER_DIFFERS, "Much of the text is not in the text that the PDF itself holds."
)


def compared(result: PageResult, layer: TextLayer) -> PageResult:
    """Return the result, with a warning if its text differs much from a good text layer."""
    if not layer.is_usable:
        return result
    read = _words(" ".join(block.content for block in result.blocks) or result.text)
    held = _words(layer.text)
    if _share(held, read) < _MIN_COMMON:
        return replace(result, warnings=(*result.warnings, _LACKS))
    if not layer.pictures and _share(read, held) < _MIN_COMMON:
        return replace(result, warnings=(*result.warnings, _ADDS))
    return result


def _words(text: str) -> Counter[str]:
    return Counter(_WORD.findall(_TAG.sub(" ", text).lower()))


def _share(words: Counter[str], others: Counter[str]) -> float:
    """Return the share of the letters of `words` that `others` has too; 1 if there are few letters."""
    total = sum(len(word) * count for word, count in words.items())
    common = sum(len(word) * count for word, count in (words & others).items())
    return common / total if total >= _MIN_LETTERS else 1.0
