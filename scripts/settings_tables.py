"""Write the tables of settings in docs/settings.md and docs/ru/settings.md from the code.

Usage: python -m scripts.settings_tables

A table stands between `<!-- settings: PATTERN... -->` and `<!-- /settings -->`. It lists the variables that
match one of the patterns, in the order of the code. In English the meaning is the description in the code. In
Russian the meaning is kept by hand: a new variable gets an empty one.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, BaseModel
from pydantic.fields import FieldInfo

from ocr_service.config import Settings

DOCS = Path(__file__).parents[1] / "docs"
PAGES = {"English": DOCS / "settings.md", "Russian": DOCS / "ru/settings.md"}
HEADS = {
    "English": "| variable | default | meaning |",
    "Russian": "| переменная | по умолчанию | значение |",
}

_TABLE = re.compile(r"<!-- settings: ([^\n]*) -->\n.*?<!-- /settings -->", re.DOTALL)
_ROW = re.compile(r"^\| `(\w+)` \| .*? \| (.*) \|$", re.MULTILINE)


@dataclass(frozen=True)
class Setting:
    """A variable of the environment, with its default and its description in the code."""

    variable: str
    default: str
    description: str


def settings(model: type[BaseModel] = Settings) -> Iterator[Setting]:
    """Walk the settings; a field whose type is a model is a group of them."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from settings(field.annotation)
        else:
            yield Setting(_variable(model, name, field), _shown(field.default), field.description or "")


def _variable(model: type[BaseModel], name: str, field: FieldInfo) -> str:
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        alias = alias.choices[0]
    prefix: Any = model.model_config.get("env_prefix", "")
    return alias if isinstance(alias, str) else f"{prefix}{name}".upper()


def _shown(default: Any) -> str:
    if default in (None, ""):
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def filled(language: str, page: str) -> str:
    """Fill the tables of a page; raises ValueError if a setting is not in exactly one of them."""
    listed: list[str] = []
    meaning = _meanings(language, page)

    def table(found: re.Match[str]) -> str:
        rows = [each for each in settings() if any(fnmatchcase(each.variable, p) for p in found[1].split())]
        listed.extend(each.variable for each in rows)
        lines = [f"| `{each.variable}` | {each.default} | {meaning(each)} |" for each in rows]
        text = "\n".join([HEADS[language], "|---|---|---|", *lines])
        return f"<!-- settings: {found[1]} -->\n\n{text}\n\n<!-- /settings -->"

    result = _TABLE.sub(table, page)
    if wrong := [each.variable for each in settings() if listed.count(each.variable) != 1]:
        raise ValueError(f"{', '.join(wrong)}: not in exactly one table of the {language} page")
    return result


def _meanings(language: str, page: str) -> Callable[[Setting], str]:
    if language == "English":
        return lambda setting: setting.description
    kept = dict(_ROW.findall(page))
    return lambda setting: kept.get(setting.variable, "")


def main() -> None:
    """Write the tables of both pages."""
    for language, path in PAGES.items():
        path.write_text(filled(language, path.read_text()))


if __name__ == "__main__":
    main()
