"""Installed language data of Tesseract, found without loading Tesseract, since every start needs it."""

from collections.abc import Set
from pathlib import Path

from ocr_service.core.errors import EngineUnavailable, LanguageNotInstalled

# Folders of the language data on Debian, on Fedora, and of a build from source.
_STANDARD_FOLDERS = (
    Path("/usr/share/tesseract-ocr/5/tessdata"),
    Path("/usr/share/tesseract-ocr/4.00/tessdata"),
    Path("/usr/share/tessdata"),
    Path("/usr/share/tesseract/tessdata"),
    Path("/usr/local/share/tessdata"),
)
_SUFFIX = ".traineddata"
# Data files for layout analysis, not for a language.
_NOT_LANGUAGES = {"osd", "equ"}
_INSTALL_HINT = "On Debian: apt-get install tesseract-ocr-<language>, then start the service again."


def find_tessdata() -> Path:
    """Return the first standard folder that contains language data; raises EngineUnavailable."""
    for folder in _STANDARD_FOLDERS:
        if any(folder.glob(f"*{_SUFFIX}")):
            return folder
    raise EngineUnavailable(f"There is no Tesseract language data. {_INSTALL_HINT}")


def languages_in(tessdata: Path) -> frozenset[str]:
    """Return the languages in a folder, such as `rus` and `script/Cyrillic`; raises EngineUnavailable."""
    files = (file.relative_to(tessdata) for file in tessdata.rglob(f"*{_SUFFIX}"))
    languages = frozenset(str(file).removesuffix(_SUFFIX) for file in files) - _NOT_LANGUAGES
    if not languages:
        raise EngineUnavailable(f"There is no Tesseract language data. {_INSTALL_HINT}")
    return languages


def check_installed(lang: str, languages: Set[str]) -> None:
    """Raise LanguageNotInstalled, with the list of installed languages; `lang` is a list joined by `+`."""
    missing = [name for name in lang.split("+") if name not in languages]
    if missing:
        raise LanguageNotInstalled(
            f"Not installed: {', '.join(missing) or 'no language named'}. "
            f"Installed: {', '.join(sorted(languages))}. {_INSTALL_HINT}"
        )
