"""Write the tables of settings in docs/settings.md and docs/ru/settings.md from the code.

Usage: python -m scripts.settings_tables

A table stands between `<!-- settings: GROUP -->` and `<!-- /settings -->` and lists the variables of a group
of `Settings`. In English the meaning is the description in the code. In Russian the meaning is written by
hand, and a new variable gets an empty one.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from ocr_service.config import variables

DOCS = Path(__file__).parents[1] / "docs"
PAGES = {"English": DOCS / "settings.md", "Russian": DOCS / "ru/settings.md"}
HEADS = {
    "English": "| variable | default | meaning |",
    "Russian": "| переменная | по умолчанию | значение |",
}

_TABLE = re.compile(r"<!-- settings: (\w+) -->\n.*?<!-- /settings -->", re.DOTALL)
_ROW = re.compile(r"^\| `(\w+)` \| .*? \| (.*) \|$", re.MULTILINE)


def shown(default: Any) -> str:
    """Return the default as a cell of a table; a list as it is written in the environment."""
    if isinstance(default, bool):
        text = str(default).lower()
    elif isinstance(default, frozenset | tuple):
        text = ",".join(map(str, sorted(default)))
    else:
        # Anything else has no short form: None, and an empty allowlist.
        text = str(default) if isinstance(default, str | int | float) else ""
    return f"`{text}`" if text else ""


def filled(language: str, page: str) -> str:
    """Fill the tables of a page; raises ValueError if a group is not in exactly one of them."""
    groups = variables()
    listed = _TABLE.findall(page)
    if wrong := [name for name in groups if listed.count(name) != 1]:
        raise ValueError(f"{', '.join(wrong)}: not in exactly one table of the {language} page")
    meaning = _meanings(language, page)

    def table(found: re.Match[str]) -> str:
        rows = [
            f"| `{name}` | {shown(field.default)} | {meaning(name, field)} |"
            for name, field in groups[found[1]].items()
        ]
        text = "\n".join([HEADS[language], "|---|---|---|", *rows])
        return f"<!-- settings: {found[1]} -->\n\n{text}\n\n<!-- /settings -->"

    return _TABLE.sub(table, page)


def _meanings(language: str, page: str) -> Callable[[str, FieldInfo], str]:
    if language == "English":
        return lambda _, field: field.description or ""
    written = dict(_ROW.findall(page))
    return lambda name, _: written.get(name, "")


def main() -> None:
    """Write the tables of both pages."""
    for language, path in PAGES.items():
        path.write_text(filled(language, path.read_text()))


if __name__ == "__main__":
    main()
