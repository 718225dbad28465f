"""Messages of C libraries, which would stand on standard error between the log lines.

Worker processes have no standard error, so the decoders need nothing.
"""

import ctypes
from types import ModuleType

_LEPTONICA_WRITES_NOTHING = 6


def silence_leptonica(extension: ModuleType) -> None:
    """Stop the messages of Leptonica, which is linked to this extension."""
    # Symbols are looked up in the extension and in all libraries that it is linked to.
    ctypes.CDLL(extension.__file__).setMsgSeverity(_LEPTONICA_WRITES_NOTHING)
