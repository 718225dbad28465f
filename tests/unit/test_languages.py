"""Names of languages, as requests write them."""

import pytest

from ocr_service.core.errors import LanguageNotInstalled
from ocr_service.engines.tesseract.languages import check_installed, tesseract_names

INSTALLED = {"rus", "eng", "chi_sim", "script/Cyrillic"}


@pytest.mark.parametrize(
    ("lang", "names"),
    [
        ("rus+eng", "rus+eng"),
        ("rus eng", "rus+eng"),
        ("rus, eng", "rus+eng"),
        ("ru,en", "rus+eng"),
        ("RUS+Eng", "rus+eng"),
        ("RU", "rus"),
        ("zh", "chi_sim"),
        ("script/cyrillic", "script/Cyrillic"),
        ("eng+en", "eng"),
        (" rus  + eng ", "rus+eng"),
        ("eng+tlh", "eng+tlh"),
        ("DE", "DE"),
    ],
)
def test_languages_are_found_by_every_name(lang: str, names: str) -> None:
    assert tesseract_names(lang, INSTALLED) == names


@pytest.mark.parametrize("lang", ["tlh", "DE", "+", "", "rus+", "rus,,eng", "rus+de"])
def test_language_that_is_not_installed_is_refused(lang: str) -> None:
    with pytest.raises(LanguageNotInstalled):
        check_installed(lang, INSTALLED)
