"""Messages of C libraries, which would stand on standard error between the log lines. PDFium writes none."""

import ctypes
from types import ModuleType

_LEPTONICA_WRITES_NOTHING = 6


def silence_libtiff(extension: ModuleType) -> None:
    """Stop the messages of libtiff, which is linked to this extension. Its errors are raised as well."""
    library = _library(extension)
    library.TIFFSetErrorHandler(None)
    library.TIFFSetWarningHandler(None)


def silence_leptonica(extension: ModuleType) -> None:
    """Stop the messages of Leptonica, which is linked to this extension."""
    _library(extension).setMsgSeverity(_LEPTONICA_WRITES_NOTHING)


def _library(extension: ModuleType) -> ctypes.CDLL:
    # Symbols are looked up in the extension and in all libraries that it is linked to.
    return ctypes.CDLL(extension.__file__)
