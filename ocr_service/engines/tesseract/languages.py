"""Installed language data of Tesseract, found without loading Tesseract, since every start needs it.

A request can name languages by these names or by ISO 639-1, in any case.
"""

import re
from collections.abc import Mapping, Set
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


_SEPARATOR = re.compile(r"\s*[+,]\s*|\s+")
# ISO 639-1, each beside the name of Tesseract.
_ISO_639_1 = dict(
    re.findall(
        r"(\w+):(\w+)",
        """
    af:afr am:amh ar:ara as:asm az:aze be:bel bg:bul bn:ben bo:bod br:bre bs:bos ca:cat cs:ces cy:cym da:dan
    de:deu dv:div dz:dzo el:ell en:eng eo:epo es:spa et:est eu:eus fa:fas fi:fin fo:fao fr:fra fy:fry ga:gle
    gd:gla gl:glg gu:guj he:heb hi:hin hr:hrv ht:hat hu:hun hy:hye id:ind is:isl it:ita iu:iku ja:jpn jv:jav
    ka:kat kk:kaz km:khm kn:kan ko:kor ku:kmr ky:kir la:lat lb:ltz lo:lao lt:lit lv:lav mi:mri mk:mkd ml:mal
    mn:mon mr:mar ms:msa mt:mlt my:mya nb:nor ne:nep nl:nld no:nor oc:oci or:ori pa:pan pl:pol ps:pus pt:por
    qu:que ro:ron ru:rus sa:san sd:snd si:sin sk:slk sl:slv sq:sqi sr:srp su:sun sv:swe sw:swa ta:tam te:tel
    tg:tgk th:tha ti:tir tl:tgl to:ton tr:tur tt:tat ug:uig uk:ukr ur:urd uz:uzb vi:vie yi:yid yo:yor
    zh:chi_sim
    """,
    )
)


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
        raise EngineUnavailable(f"There is no Tesseract language data in {tessdata}. {_INSTALL_HINT}")
    return languages


def tesseract_names(lang: str, languages: Set[str]) -> str:
    """Return the names of the installed languages that `lang` lists, joined by `+`; others stay as they are.

    lang: joined by `+`, commas or blanks: a `+` in the query of a URL arrives as a blank.
    """
    installed = {name.lower(): name for name in languages}
    names = _SEPARATOR.split(lang.strip())
    return "+".join(dict.fromkeys(_tesseract_name(name, installed) for name in names))


def _tesseract_name(name: str, installed: Mapping[str, str]) -> str:
    known = _ISO_639_1.get(name.lower(), name)
    return installed.get(known.lower(), name)


def check_installed(lang: str, languages: Set[str]) -> None:
    """Raise LanguageNotInstalled, with the list of installed languages."""
    names = tesseract_names(lang, languages)
    missing = [name for name in names.split("+") if name not in languages]
    if missing:
        raise LanguageNotInstalled(
            f"Not installed: {', '.join(missing) or 'no language named'}. "
            f"Installed: {', '.join(sorted(languages))}. {_INSTALL_HINT}"
        )
