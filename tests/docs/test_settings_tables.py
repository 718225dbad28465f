"""The settings tables are equal to the output of `make docs-tables`."""

import re

import pytest

from ocr_service.security.addresses import Allowlist
from scripts.settings_tables import PAGES, filled, shown

BOTH = pytest.mark.parametrize("language", PAGES)


@BOTH
def test_tables_are_current(language: str) -> None:
    page = PAGES[language].read_text()
    assert filled(language, page) == page, "run `make docs-tables`"


@BOTH
def test_every_setting_has_a_description(language: str) -> None:
    assert not re.findall(r"^\| `(\w+)` \| .* \|  \|$", PAGES[language].read_text(), re.MULTILINE)


@BOTH
def test_stale_default_is_corrected_and_the_description_stays(language: str) -> None:
    page = PAGES[language].read_text()
    assert filled(language, page.replace("| `OCR_MAX_PAGES` | `500` |", "| `OCR_MAX_PAGES` | `5` |")) == page


@BOTH
def test_group_without_a_table_is_refused(language: str) -> None:
    page = PAGES[language].read_text().replace("settings: logs", "settings: vlm")
    with pytest.raises(ValueError, match="vlm, logs: not in exactly one table"):
        filled(language, page)


@pytest.mark.parametrize(
    ("default", "cell"),
    [
        (None, ""),
        ("", ""),
        ("auto", "`auto`"),
        (180, "`180`"),
        (0, "`0`"),
        (True, "`true`"),
        (frozenset({443, 80}), "`80,443`"),
        ((), ""),
        (Allowlist(), ""),
    ],
)
def test_default_is_shown_as_in_the_environment(default: object, cell: str) -> None:
    assert shown(default) == cell
