"""Files that are on the disk whole or not at all, also after a loss of power."""

import errno
import os
import uuid
from pathlib import Path

from ocr_service.core.errors import StorageError, StorageOutage, StorageRefusal

_REFUSALS = {
    errno.ENOSPC: "is full",
    errno.EDQUOT: "has no room left for this user",
    errno.EROFS: "is read-only",
    errno.EACCES: "may not be written by this user",
    errno.EPERM: "may not be written by this user",
    errno.ENOTDIR: "is not a folder",
}


def write_whole(path: Path, body: bytes) -> None:
    """Write a file, in place of any that is there; the folders above it are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Beside it, as it can only be renamed within one volume.
    part = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        write_through(part, body)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_through(path: Path, body: bytes) -> None:
    """Write a new file and wait until the disk has it."""
    with path.open("xb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the disk knows the folder's files by their names."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def in_our_words(error: OSError, what: str) -> StorageError:
    """Translate what the disk says; the sentence names no path."""
    reason = _REFUSALS.get(error.errno or 0)
    if reason:
        return StorageRefusal(f"{what} {reason}.")
    return StorageOutage(f"{what} fails: {os.strerror(error.errno) if error.errno else 'unknown error'}.")
