"""Entries of the evaluation set: a file of one page, and the text that it shows."""

import dataclasses
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PartKind = Literal["heading", "text", "rows", "table"]
Half = Literal["tuning", "judging"]
Rows = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A heading, a paragraph, rows without rules or a table with rules.

    text: of rows, their cells. rows: cells; of merged cells, only the first has text.
    """

    kind: PartKind
    text: str
    rows: Rows = ()


def part_of_rows(kind: PartKind, rows: Iterable[Sequence[str]]) -> Part:
    """Return rows or a table with its text."""
    kept = tuple(tuple(row) for row in rows)
    return Part(kind, "\n".join(" ".join(filter(None, row)) for row in kept), kept)


@dataclass(frozen=True, slots=True)
class Entry:
    """A page of the set.

    file: name in the folder of the set. half: pages for the tuning of the engine, or for judging it.
    parts: in reading order.
    """

    name: str
    file: str
    kind: str
    language: str
    half: Half
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The whole text, in reading order."""
        return "\n".join(part.text for part in self.parts)


_INDEX = "corpus.json"


def write_index(folder: Path, entries: Iterable[Entry]) -> None:
    """Write the entries beside their files."""
    values = [dataclasses.asdict(entry) for entry in entries]
    (folder / _INDEX).write_text(json.dumps(values, ensure_ascii=False, indent=1))


def read_index(folder: Path) -> list[Entry]:
    """Return the entries; raises FileNotFoundError if the set has not been built."""
    values = json.loads((folder / _INDEX).read_text())
    return [Entry(**{**value, "parts": tuple(_part(part) for part in value["parts"])}) for value in values]


def _part(value: dict[str, object]) -> Part:
    rows = value["rows"]
    assert isinstance(rows, list)
    return Part(value["kind"], str(value["text"]), tuple(map(tuple, rows)))  # type: ignore[arg-type]
