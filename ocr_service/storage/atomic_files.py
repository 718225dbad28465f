"""Atomic and durable file writes: after a crash or a power loss, a file is complete or absent."""

import errno
import os
import uuid
from pathlib import Path

from ocr_service.core.errors import StorageError, StorageFull, StorageOutage, StorageRefusal

_REFUSALS = {
    errno.ENOSPC: "is full",
    errno.EDQUOT: "has no quota left for this user",
    errno.EROFS: "is read-only",
    errno.EACCES: "is not writable for this user",
    errno.EPERM: "is not writable for this user",
    errno.ENOTDIR: "is not a folder",
}

_FULL = (errno.ENOSPC, errno.EDQUOT)


def write_atomically(path: Path, body: bytes) -> None:
    """Write a file and replace an existing one; create missing parent folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # In the same folder, because a rename works only within one volume.
    part = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        write_through(part, body)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_through(path: Path, body: bytes) -> None:
    """Write a new file and flush it to the disk."""
    with path.open("xb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Flush the entries of a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def storage_error(error: OSError, volume: str) -> StorageError:
    """Convert an OSError; the message names the volume, but no path."""
    reason = _REFUSALS.get(error.errno or 0)
    if reason:
        kind = StorageFull if error.errno in _FULL else StorageRefusal
        return kind(f"{volume} {reason}.")
    return StorageOutage(f"{volume} fails: {os.strerror(error.errno) if error.errno else 'unknown error'}.")
