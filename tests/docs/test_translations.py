"""The Russian pages show the same commands, answers and tables as the English ones."""

import pytest

from tests.docs.pages import ENGLISH, Page


@pytest.mark.parametrize("page", ENGLISH, ids=lambda page: str(page.name))
def test_russian_page_shows_the_same_commands_and_answers(page: Page) -> None:
    assert page.russian.blocks == page.blocks


@pytest.mark.parametrize("page", ENGLISH, ids=lambda page: str(page.name))
def test_russian_page_has_the_same_tables(page: Page) -> None:
    """The same number of rows; names and numbers in code are the same, row by row."""
    assert [[len(row) for row in table] for table in page.russian.tables] == [
        [len(row) for row in table] for table in page.tables
    ]
