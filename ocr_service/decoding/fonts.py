"""The fonts with which PDFium draws text whose font is not embedded.

PDFium has Latin faces of its own for all names. A page whose text needs other letters is drawn with the fonts
of the machine: PDFium asks the functions here for each font when it loads the font. All run on one thread.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pypdfium2.raw as pdfium_c
from pypdfium2.internal import set_callbacks

from ocr_service.decoding.font_files import FontFiles, Style, without_mac_map

_BOLD = 600
_CJK_CHARSETS = {
    pdfium_c.FXFONT_SHIFTJIS_CHARSET,
    pdfium_c.FXFONT_HANGEUL_CHARSET,
    pdfium_c.FXFONT_GB2312_CHARSET,
    pdfium_c.FXFONT_CHINESEBIG5_CHARSET,
}


class SystemFonts:
    """Answers the questions of PDFium for fonts; a handle is a position in the list of files, from 1."""

    def __init__(self, files: FontFiles) -> None:
        self.files = files
        self._are_used = False
        self._paths: list[Path] = []
        self._data: dict[Path, bytes] = {}
        # With version 2, PDFium leaves the choice of the font to MapFont alone.
        self._callbacks = pdfium_c.FPDF_SYSFONTINFO(version=2)
        set_callbacks(
            self._callbacks,
            MapFont=self._map_font,
            GetFontData=self._font_data,
            GetFaceName=self._face_name,
            DeleteFont=lambda *_: None,
        )

    def install(self) -> None:
        """Replace the fonts that PDFium would choose by itself; called before it opens a document."""
        pdfium_c.FPDF_SetSystemFontInfo(ctypes.pointer(self._callbacks))

    @contextmanager
    def used(self, are_used: bool) -> Iterator[None]:
        """Choose between the fonts of the machine and those of PDFium for what is loaded meanwhile."""
        self._are_used = are_used
        try:
            yield
        finally:
            self._are_used = False

    def data(self, path: Path) -> bytes:
        """Return a file as PDFium gets it."""
        if path not in self._data:
            self._data[path] = without_mac_map(path.read_bytes())
        return self._data[path]

    def loaded(self) -> dict[int, Path]:
        """Return the files that PDFium has loaded so far, by their size in bytes."""
        return {len(self.data(path)): path for path in self._paths}

    def _map_font(
        self,
        _: object,
        weight: int,
        italic: int,
        charset: int,
        pitch: int,
        name: "ctypes._Pointer[ctypes.c_char]",
        __: object,
    ) -> int | None:
        if not self._are_used:
            return None
        style = Style(weight >= _BOLD, bool(italic), pitch)
        plain = ctypes.string_at(name).decode("latin-1")
        path = self.files.replacement(plain, style, is_cjk=charset in _CJK_CHARSETS)
        if path is None:
            return None
        if path not in self._paths:
            self._paths.append(path)
        return self._paths.index(path) + 1

    def _font_data(self, _: object, handle: int, table: int, buffer: object, size: int) -> int:
        # PDFium asks for other tables only of fonts that were enumerated.
        data = b"" if table else self.data(self._paths[handle - 1])
        return _copy(data, buffer, size)

    def _face_name(self, _: object, handle: int, buffer: object, size: int) -> int:
        # Unique, because PDFium keeps loaded fonts by this name.
        return _copy(self._paths[handle - 1].stem.encode() + b"\0", buffer, size)


def _copy(data: bytes, buffer: object, size: int) -> int:
    if buffer and size >= len(data):
        ctypes.memmove(buffer, data, len(data))  # type: ignore[arg-type]
    return len(data)


FONTS = SystemFonts(FontFiles())
