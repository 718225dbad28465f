"""The pages of the documentation in both languages, and their code blocks and tables."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.running import ROOT

DOCS = ROOT / "docs"

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block of code: its language, and its text."""

    language: str
    text: str


@dataclass(frozen=True)
class Page:
    """A page in one language."""

    path: Path

    @property
    def text(self) -> str:
        return self.path.read_text()

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def blocks(self) -> list[Block]:
        return [Block(language, text.strip()) for language, text in _BLOCK.findall(self.text)]

    @property
    def tables(self) -> list[list[list[str]]]:
        """The tables as lists of rows, without the header."""
        return list(_tables(self.text))

    @property
    def russian(self) -> "Page":
        """The same page in Russian."""
        if self.path.parent == ROOT:
            return Page(self.path.with_suffix(".ru.md"))
        return Page(self.path.parent / "ru" / self.path.name)


def _tables(text: str) -> Iterator[list[list[str]]]:
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        yield [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


README = Page(ROOT / "README.md")
ENGLISH = [README, *(Page(path) for path in sorted(DOCS.glob("*.md")))]
RUSSIAN = [page.russian for page in ENGLISH]


def rows(pages: list[Page]) -> list[list[str]]:
    """Return the rows of all tables of these pages."""
    return [row for page in pages for table in page.tables for row in table]
