"""What to read: a path, an address, bytes or an open file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Union

Source = Union[str, "os.PathLike[str]", bytes, BinaryIO]

_ADDRESSES = ("http://", "https://", "s3://")
# PDF, and both byte orders of TIFF: these can have many pages.
_LONG = (b"%PDF", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


@dataclass(frozen=True)
class Upload:
    """A document to send: its bytes, or an address that the service fetches."""

    data: bytes | None
    address: str
    name: str

    @property
    def may_be_long(self) -> bool:
        """Whether it can have many pages."""
        return self.data is None or self.data.lstrip()[:4] in _LONG or b"%PDF" in self.data[:1024]


def upload_of(source: Source) -> Upload:
    """Read the source, unless it is an address."""
    if isinstance(source, bytes):
        return Upload(source, "", "document")
    if isinstance(source, str) and source.startswith(_ADDRESSES):
        return Upload(None, source, "")
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        return Upload(path.read_bytes(), "", path.name)
    return Upload(source.read(), "", Path(str(getattr(source, "name", ""))).name or "document")
