"""The Russian pages show the same commands, answers and tables as the English ones."""

import re

import pytest

from tests.docs.pages import ENGLISH, README, Page


@pytest.mark.parametrize("page", ENGLISH, ids=lambda page: str(page.name))
def test_russian_page_shows_the_same_commands_and_answers(page: Page) -> None:
    assert page.russian.blocks == page.blocks


def names(row: list[str]) -> list[str]:
    """Return the code in a row; its order depends on the language."""
    return sorted(re.findall("`[^`]+`", " ".join(row)))


@pytest.mark.parametrize("page", ENGLISH, ids=lambda page: str(page.name))
def test_russian_page_has_the_same_tables(page: Page) -> None:
    assert [len(table) for table in page.russian.tables] == [len(table) for table in page.tables]
    for ours, theirs in zip(page.tables, page.russian.tables, strict=True):
        for row, translated in zip(ours, theirs, strict=True):
            assert names(translated) == names(row)


@pytest.mark.parametrize("page", ENGLISH, ids=lambda page: str(page.name))
def test_russian_page_has_the_same_headings(page: Page) -> None:
    assert levels(page.russian) == levels(page)


def levels(page: Page) -> list[int]:
    prose = re.sub(r"^```.*?^```$", "", page.text, flags=re.MULTILINE | re.DOTALL)
    return [len(marks) for marks in re.findall(r"^(#+) ", prose, re.MULTILINE)]


@pytest.mark.parametrize("page", [README, README.russian], ids=["English", "Russian"])
def test_readme_is_short(page: Page) -> None:
    assert len(page.text.splitlines()) <= 150
