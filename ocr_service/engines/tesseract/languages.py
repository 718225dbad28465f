"""The languages that Tesseract has data of here; found without loading Tesseract, as every start asks."""

from collections.abc import Set
from pathlib import Path

from ocr_service.core.errors import EngineUnavailable, LanguageNotInstalled

# The folders in which Debian, Fedora and a build from source put the language data.
_USUAL_FOLDERS = (
    Path("/usr/share/tesseract-ocr/5/tessdata"),
    Path("/usr/share/tesseract-ocr/4.00/tessdata"),
    Path("/usr/share/tessdata"),
    Path("/usr/share/tesseract/tessdata"),
    Path("/usr/local/share/tessdata"),
)
_SUFFIX = ".traineddata"
# Data files that help to find the layout, but read no text.
_NOT_LANGUAGES = {"osd", "equ"}
_HOW_TO_ADD = "On Debian: apt-get install tesseract-ocr-<language>, then start the service again."


def find_tessdata() -> Path:
    """Return the first of the usual folders that holds language data; raises EngineUnavailable."""
    for folder in _USUAL_FOLDERS:
        if any(folder.glob(f"*{_SUFFIX}")):
            return folder
    raise EngineUnavailable(f"There is no Tesseract language data. {_HOW_TO_ADD}")


def languages_in(tessdata: Path) -> frozenset[str]:
    """Return the names of a folder's languages, `script/Cyrillic` included; raises EngineUnavailable."""
    files = (file.relative_to(tessdata) for file in tessdata.rglob(f"*{_SUFFIX}"))
    languages = frozenset(str(file).removesuffix(_SUFFIX) for file in files) - _NOT_LANGUAGES
    if not languages:
        raise EngineUnavailable(f"There is no Tesseract language data. {_HOW_TO_ADD}")
    return languages


def check_installed(lang: str, languages: Set[str]) -> None:
    """Raise LanguageNotInstalled, which names the languages that are there, for a list joined by `+`."""
    missing = [name for name in lang.split("+") if name not in languages]
    if missing:
        raise LanguageNotInstalled(
            f"Not installed: {', '.join(missing) or 'no language named'}. "
            f"Installed: {', '.join(sorted(languages))}. {_HOW_TO_ADD}"
        )
