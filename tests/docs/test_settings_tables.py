"""The tables of settings are those that `make docs-tables` writes."""

import re

import pytest
from pydantic import AliasChoices, BaseModel, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from scripts.settings_tables import PAGES, Setting, filled, settings

BOTH = pytest.mark.parametrize("language", PAGES)


@BOTH
def test_tables_are_current(language: str) -> None:
    page = PAGES[language].read_text()
    assert filled(language, page) == page, "run `make docs-tables`"


@BOTH
def test_every_setting_has_a_meaning(language: str) -> None:
    assert not re.findall(r"^\| `(\w+)` \| .* \|  \|$", PAGES[language].read_text(), re.MULTILINE)


@BOTH
def test_stale_default_is_corrected_and_the_meaning_kept(language: str) -> None:
    page = PAGES[language].read_text()
    assert filled(language, page.replace("| `OCR_MAX_PAGES` | `500` |", "| `OCR_MAX_PAGES` | `5` |")) == page


@BOTH
def test_setting_without_a_table_is_refused(language: str) -> None:
    page = PAGES[language].read_text().replace("settings: OCR_LOG_*", "settings: OCR_LOG_LEVEL")
    with pytest.raises(ValueError, match="OCR_LOG_FORMAT: not in exactly one table"):
        filled(language, page)


class _Vlm(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="OCR_VLM_")

    url: str | None = Field(None, description="Address.")
    timeout: float = Field(180, description="Seconds.")
    folder: str = Field("", validation_alias=AliasChoices("OCR_FOLDER", "FOLDER"), description="Folder.")


class _Grouped(BaseModel):
    vlm: _Vlm
    ocr_docs: bool = Field(True, description="Whether.")


def test_groups_of_settings_are_walked() -> None:
    assert list(settings(_Grouped)) == [
        Setting("OCR_VLM_URL", "", "Address."),
        Setting("OCR_VLM_TIMEOUT", "`180`", "Seconds."),
        Setting("OCR_FOLDER", "", "Folder."),
        Setting("OCR_DOCS", "`true`", "Whether."),
    ]
