"""Font files of the machine that replace PDF fonts which are not embedded.

Liberation has the metrics of Arial, Times New Roman and Courier New, Carlito those of Calibri; DejaVu looks
like Verdana and Georgia. All have Latin, Greek and Cyrillic letters. A CJK font is used if there is one.
"""

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts")

_SANS, _SERIF, _MONO = "LiberationSans", "LiberationSerif", "LiberationMono"
# Fonts of the same metrics, by the normalized name of the font in the PDF.
_COMPATIBLE = {
    **dict.fromkeys(("arial", "helvetica", "liberationsans", "arimo", "nimbussans", "nimbussansl"), _SANS),
    **dict.fromkeys(("times", "timesroman", "timesnewroman", "liberationserif", "tinos"), _SERIF),
    **dict.fromkeys(("nimbusroman", "nimbusromanno9l"), _SERIF),
    **dict.fromkeys(("courier", "couriernew", "liberationmono", "cousine", "nimbusmono"), _MONO),
    **dict.fromkeys(("nimbusmonol", "nimbusmonops"), _MONO),
    **dict.fromkeys(("arialnarrow", "liberationsansnarrow"), "LiberationSansNarrow"),
    **dict.fromkeys(("calibri", "carlito"), "Carlito"),
    "dejavusans": "DejaVuSans",
    "dejavuserif": "DejaVuSerif",
    "dejavusansmono": "DejaVuSansMono",
}
# Fonts of a similar shape, by the start of the name. PDFium fits the width of each letter to the PDF.
_SIMILAR = {
    "verdana": "DejaVuSans",
    "georgia": "DejaVuSerif",
    "consolas": "DejaVuSansMono",
    "lucidaconsole": "DejaVuSansMono",
    "menlo": "DejaVuSansMono",
    "monaco": "DejaVuSansMono",
    "calibri": "Carlito",
    **dict.fromkeys(("tahoma", "segoeui", "trebuchet", "arial", "helvetica", "microsoftsansserif"), _SANS),
    **dict.fromkeys(("times", "cambria", "garamond", "palatino", "bookantiqua", "bookmanoldstyle"), _SERIF),
    **dict.fromkeys(("courier",), _MONO),
}
_DEJAVU = {_SANS: "DejaVuSans", _SERIF: "DejaVuSerif", _MONO: "DejaVuSansMono", "Carlito": "DejaVuSans"}
_PREFIXES = ("Liberation", "Carlito", "DejaVu")
_CJK = ("NotoSansCJK-Regular.ttc", "wqy-microhei.ttc", "wqy-zenhei.ttc", "DroidSansFallbackFull.ttf")

# Debian packages of the files, named if they are missing.
PACKAGES = {"LiberationSans-Regular.ttf": "fonts-liberation", "DejaVuSans.ttf": "fonts-dejavu-core"}

# Fonts of signs that are no letters: a font of letters cannot replace them.
_SYMBOLS = re.compile("symbol|zapfdingbats|dingbats|wingdings|webdings|marlett|mtextra")
_STANDARD_SYMBOLS = re.compile("symbol(mt)?|zapfdingbats")
_STYLES = re.compile("(bold|italic|oblique|regular|medium|mt|ps|cyr|std)+$")

# Flags of PDFium for the shape of a font.
_FIXED_PITCH, _ROMAN = 1, 16


@dataclass(frozen=True, slots=True)
class Style:
    """The style of a font in a PDF; pitch: flags of PDFium."""

    bold: bool = False
    italic: bool = False
    pitch: int = 0


class FontFiles:
    """The files that this machine has, by name."""

    def __init__(self, folders: tuple[str, ...] = _FOLDERS) -> None:
        self._folders = folders

    def load(self) -> None:
        """Look for the files now, and not when the first is needed."""
        self._paths  # noqa: B018

    @property
    def missing_packages(self) -> list[str]:
        """Debian packages to install, so that Cyrillic and Greek letters can be drawn."""
        return [package for file, package in PACKAGES.items() if file not in self._paths]

    @property
    def versions(self) -> list[str]:
        """Name and size of each file."""
        return sorted(f"{name} {path.stat().st_size}" for name, path in self._paths.items())

    def replacement(self, name: str, style: Style, *, is_cjk: bool = False) -> Path | None:
        """Return the file that replaces a font, or None if the machine has none."""
        plain = _plain(name)
        if is_symbols(name):
            return None
        if is_cjk and _STYLES.sub("", plain) not in _COMPATIBLE and (cjk := self.cjk()):
            return cjk
        family = _family(plain, style)
        for candidate in (family, _by_shape(family, style), _DEJAVU.get(family, "DejaVuSans")):
            for file in _file_names(candidate, style):
                if file in self._paths:
                    return self._paths[file]
        return None

    def cjk(self) -> Path | None:
        """Return a file with Chinese, Japanese and Korean characters, or None."""
        return next((self._paths[file] for file in _CJK if file in self._paths), None)

    def has_same_metrics(self, name: str) -> bool:
        """Return True if the replacement of a font has its letters at its widths."""
        family = _COMPATIBLE.get(_STYLES.sub("", _plain(name)))
        return family is not None and any(file in self._paths for file in _file_names(family, Style()))

    @cached_property
    def _paths(self) -> dict[str, Path]:
        return {path.name: path for folder in self._folders for path in _files(folder)}


def is_symbols(name: str) -> bool:
    """Return True for fonts of signs, such as Wingdings."""
    return _SYMBOLS.match(_plain(name)) is not None


def is_standard_symbols(name: str) -> bool:
    """Return True for the two standard fonts of signs; PDFium has both."""
    return _STANDARD_SYMBOLS.fullmatch(_plain(name)) is not None


def _files(folder: str) -> Iterator[Path]:
    """Find the files that can replace fonts."""
    for place, _, names in os.walk(folder):
        for name in names:
            if (name.startswith(_PREFIXES) and name.endswith(".ttf")) or name in _CJK:
                yield Path(place, name)


def _plain(name: str) -> str:
    """Normalize: ABCDEF+TimesNewRomanPS-BoldMT and Times New Roman differ in writers, not in letters."""
    return re.sub("[^a-z0-9]", "", name.rpartition("+")[2].lower())


def _family(plain: str, style: Style) -> str:
    if family := _COMPATIBLE.get(_STYLES.sub("", plain)):
        return family
    similar = (family for start, family in _SIMILAR.items() if plain.startswith(start))
    return next(similar, _by_shape("", style))


def _by_shape(family: str, style: Style) -> str:
    if family in _DEJAVU:
        return family
    if style.pitch & _FIXED_PITCH or family.endswith("Mono"):
        return _MONO
    return _SERIF if style.pitch & _ROMAN or family.endswith("Serif") else _SANS


def _file_names(family: str, style: Style) -> list[str]:
    """Return the names of the files of a family, best first; PDFium slants letters itself."""
    bold, regular = ["-Bold.ttf"], ["-Regular.ttf", ".ttf"]
    if style.bold:
        endings = ["-BoldItalic.ttf", *bold, *regular] if style.italic else [*bold, *regular]
    else:
        endings = ["-Italic.ttf", *regular] if style.italic else regular
    return [family + ending for ending in endings]


def without_mac_map(data: bytes) -> bytes:
    """Return a TrueType file without its character map for old Macintosh encodings.

    PDFium prefers that map for fonts with the flag "symbolic", and would ignore the names of the characters.
    """
    count = struct.unpack_from(">H", data, 4)[0]
    tables = (struct.unpack_from(">4sIII", data, 12 + 16 * number) for number in range(count))
    start = next((offset for tag, _, offset, _ in tables if tag == b"cmap"), None)
    if start is None:
        return data
    changed = bytearray(data)
    for number in range(struct.unpack_from(">H", data, start + 2)[0]):
        place = start + 4 + 8 * number
        if struct.unpack_from(">H", data, place)[0] == 1:
            # A platform that does not exist.
            struct.pack_into(">H", changed, place, 0xFFFF)
    return bytes(changed)
