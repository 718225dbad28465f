"""Texts for the typeset pages, chosen at random."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from random import Random
from typing import Any


@cache
def _pool(language: str) -> Mapping[str, Any]:
    return tomllib.loads((Path(__file__).parent / "texts" / f"{language}.toml").read_text())


class Texts:
    """Random texts of one language."""

    def __init__(self, language: str, random: Random) -> None:
        self.language = language
        self.random = random
        self._pool = _pool(language)

    def one(self, key: str) -> str:
        """Return one text of a list."""
        return str(self.random.choice(self._pool[key]))

    def some(self, key: str, count: int) -> list[str]:
        """Return different texts of a list."""
        return self.random.sample(self._pool[key], count)

    def word(self, key: str, **values: object) -> str:
        """Return a fixed text, with its gaps filled."""
        return str(self._pool["words"][key]).format(**values)

    def words(self, key: str) -> list[str]:
        """Return a fixed list of texts."""
        return list(self._pool["words"][key])

    def paragraph(self, key: str, sentences: int) -> str:
        """Join some sentences of a list."""
        return " ".join(self.some(key, sentences))

    def day(self) -> str:
        """Return a date in words."""
        number, year = self.random.randint(1, 28), self.random.randint(2023, 2026)
        return f"{number} {self.one('month')} {year}" + (" г." if self.language == "ru" else "")  # noqa: RUF001

    def date(self) -> str:
        """Return a date in figures."""
        day, month = self.random.randint(1, 28), self.random.randint(1, 12)
        return f"{day:02}.{month:02}.2026" if self.language == "ru" else f"{day:02}/{month:02}/2026"

    def number(self, digits: int) -> str:
        """Return a number with so many digits."""
        return str(self.random.randrange(10 ** (digits - 1), 10**digits))

    def money(self, pence: int) -> str:
        """Return a sum of money as the language writes it."""
        whole = f"{pence // 100:,}"
        if self.language == "ru":
            return f"{whole.replace(',', ' ')},{pence % 100:02}"
        return f"{whole}.{pence % 100:02}"

    def code(self) -> str:
        """Return an article code of letters and figures."""
        return (
            f"{self.random.choice(['AB', 'KX', 'NT', 'RW'])}-{self.number(4)}/{self.random.choice('ABDEFGH')}"
        )
