"""The pages of the set: how many of which kind, and their halves."""

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Protocol

import numpy as np
import pypdfium2 as pdfium
from PIL import Image

from benchmarks.corpus import LANGUAGES, SEED, manuals
from benchmarks.corpus.degrading import DEGRADATIONS, Degrade, Draw, Pixels, flat
from benchmarks.corpus.layers import poor_layer, without_mapping
from benchmarks.corpus.layouts import bullets, contract, form, letter, report, requisites, two_columns
from benchmarks.corpus.sheet import Sheet
from benchmarks.corpus.tabular import invoice, merged_cells, price_list, receipt, statement
from benchmarks.corpus.texts import Texts
from benchmarks.corpus.truth import Entry, Half, Part

LAYOUTS: Mapping[str, Callable[[Texts], Sheet]] = {
    "contract": contract,
    "letter": letter,
    "invoice": invoice,
    "merged cells": merged_cells,
    "price list": price_list,
    "statement": statement,
    "receipt": receipt,
    "two columns": two_columns,
    "form": form,
    "list": bullets,
    "report": report,
    "requisites": requisites,
}
# Half of them for each half of the set.
SCANS_OF_A_LAYOUT = 2
LAYOUTS_OF_A_DEGRADATION = 4
MANUALS_OF_A_LANGUAGE = 8
SCANNED_MANUALS_OF_A_LANGUAGE = 16
PAGES_WITH_A_BAD_LAYER = 4

MANUAL, SCANNED_MANUAL = "manual (PDF)", "manual, scanned"


@dataclass(frozen=True, slots=True)
class Made:
    """A file of one page and its truth; suffix: of the name of the file."""

    kind: str
    language: str
    suffix: str
    data: bytes
    parts: tuple[Part, ...]


class Make(Protocol):
    """Makes the file of a typeset page; random: depends on the seed and on the page alone."""

    def __call__(self, sheet: Sheet, random: Random) -> bytes:
        """Return the file."""


def every_page() -> Iterator[tuple[Entry, bytes]]:
    """Yield all pages; in each kind and language, the halves take turns in an order that the seed gives."""
    counts: dict[tuple[str, str], int] = {}
    for number, made in enumerate(_all_made(), start=1):
        key = made.kind, made.language
        counts[key] = counts.get(key, 0) + 1
        name = f"{number:03}"
        first = Random(f"{SEED}:{key}").random() < 0.5
        half: Half = "tuning" if (counts[key] % 2 == 1) == first else "judging"
        entry = Entry(name, f"{name}.{made.suffix}", made.kind, made.language, half, made.parts)
        yield entry, made.data


def _all_made() -> Iterator[Made]:
    yield from _scans()
    yield from _degraded_pages()
    yield from _own_pdfs()
    yield from _bad_layers()
    yield from _manual_pages()


def _scans() -> Iterator[Made]:
    for layout in LAYOUTS:
        for language in LANGUAGES:
            for copy in range(SCANS_OF_A_LAYOUT):
                yield _typeset(layout, layout, language, f"scan {copy}", "png", _picture_maker(flat))


def _degraded_pages() -> Iterator[Made]:
    names = list(LAYOUTS)
    for kind, (suffix, degrade) in DEGRADATIONS.items():
        for language in LANGUAGES:
            random = Random(f"{SEED}:{kind}:{language}")
            for layout in random.sample(names, LAYOUTS_OF_A_DEGRADATION):
                yield _typeset(kind, layout, language, kind, suffix, _picture_maker(degrade))


def _own_pdfs() -> Iterator[Made]:
    for layout in LAYOUTS:
        for language in LANGUAGES:
            yield _typeset("typeset (PDF)", layout, language, "pdf", "pdf", lambda sheet, _: sheet.pdf())


def _bad_layers() -> Iterator[Made]:
    kinds: Mapping[str, Make] = {
        "scan with a poor text layer (PDF)": _with_poor_layer,
        "text without a mapping (PDF)": lambda sheet, _: without_mapping(sheet.pdf()),
    }
    for kind, make in kinds.items():
        for language in LANGUAGES:
            for layout in ("contract", "letter", "report", "price list")[: PAGES_WITH_A_BAD_LAYER // 2]:
                yield _typeset(kind, layout, language, kind, "pdf", make)


def _manual_pages() -> Iterator[Made]:
    count = MANUALS_OF_A_LANGUAGE + SCANNED_MANUALS_OF_A_LANGUAGE
    pages = {
        language: manuals.pages(language, count, Random(f"{SEED}:manuals:{language}"))
        for language in LANGUAGES
    }
    for language in LANGUAGES:
        for page in pages[language][:MANUALS_OF_A_LANGUAGE]:
            yield Made(MANUAL, language, "pdf", page.pdf, (Part("text", page.text),))
    for language in LANGUAGES:
        for page in pages[language][MANUALS_OF_A_LANGUAGE:]:
            scan = flat(_drawing(page.pdf), np.random.default_rng(SEED))
            yield Made(SCANNED_MANUAL, language, "png", scan, (Part("text", page.text),))


def _typeset(kind: str, layout: str, language: str, name: str, suffix: str, make: Make) -> Made:
    """Set a page with contents of its own, and make its file."""
    random = Random(f"{SEED}:{layout}:{language}:{name}")
    sheet = LAYOUTS[layout](Texts(language, random))
    return Made(kind, language, suffix, make(sheet, random), tuple(sheet.parts))


def _picture_maker(degrade: Degrade) -> Make:
    def make(sheet: Sheet, random: Random) -> bytes:
        return degrade(_drawing(sheet.pdf()), np.random.default_rng(random.randrange(2**32)))

    return make


def _with_poor_layer(sheet: Sheet, random: Random) -> bytes:
    scan = Image.open(io.BytesIO(flat(_drawing(sheet.pdf()), np.random.default_rng(SEED))))
    return poor_layer(scan, "\n".join(part.text for part in sheet.parts), sheet.style, random)


def _drawing(pdf: bytes) -> Draw:
    def draw(dpi: int) -> Pixels:
        page = pdfium.PdfDocument(pdf)[0]
        return np.asarray(page.render(scale=dpi / 72, grayscale=True).to_pil(), np.uint8)

    return draw
