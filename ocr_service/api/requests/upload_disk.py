"""Files for bodies that are arriving, with a limit on their total size.

Beyond the limit, the slowest sender loses its file, so that slow senders cannot keep others away.
"""

import logging
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from io import FileIO
from pathlib import Path
from threading import Lock
from typing import Protocol, TypeVar

from ocr_service.core.errors import InsufficientStorage, UploadTooSlow
from ocr_service.core.turns import UNKNOWN, Caller
from ocr_service.runtime.memory import preallocated
from ocr_service.runtime.threads import Workers, open_in_thread

log = logging.getLogger(__name__)

T = TypeVar("T")

# Callers take turns, so that the event loop and the cores are busy with one body at a time.
_THREADS = 1
# Bytes that are read at a time: a long call of the kernel delays other threads that wait for its core.
_PART = 2**18


class Sender(Protocol):
    """The source of a body. caller: with whom others take turns."""

    caller: Caller

    @property
    def rate(self) -> float:
        """Bytes per second in the last seconds."""


class UploadDisk:
    """A folder for temporary files, which have no names; belongs to one event loop.

    folder: None for the temporary folder of the system. max_bytes: limit of all files. used: their bytes now.
    """

    def __init__(self, folder: Path | None, max_bytes: int) -> None:
        self.used = 0
        self.max_bytes = max_bytes
        self._folder = folder
        self._files: set[DiskFile] = set()
        self._threads = Workers(_THREADS, "upload-disk")

    async def open(self, sender: Sender) -> "DiskFile":
        """Open a new file; raises InsufficientStorage."""
        file = await open_in_thread(
            partial(_new_file, self._folder), FileIO.close, partial(self.run, caller=sender.caller)
        )
        opened = DiskFile(file, sender, self)
        self._files.add(opened)
        return opened

    async def run(self, call: Callable[[], T], caller: Caller = UNKNOWN) -> T:
        """Run a call in the thread, in the turn of the caller; raises InsufficientStorage for its OSError."""
        try:
            return await self._threads.run_for(caller, call)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else "unknown error"
            log.error("an upload cannot be written to disk: %s", reason)
            raise InsufficientStorage(f"The disk for uploads fails: {reason}. Retry later.") from None

    def run_soon(self, call: Callable[[], object]) -> None:
        """Run a call in the thread that nobody waits for, before the next turn."""
        self._threads.run_soon(call)

    def reserve(self, count: int) -> None:
        """Count bytes before they are written; the slowest senders lose their files if there are too many."""
        self.used += count
        while self.used > self.max_bytes and self._files:
            min(self._files, key=lambda file: file.sender.rate).give_up()

    def forget(self, file: "DiskFile") -> None:
        """Count the bytes of a file no more."""
        if file in self._files:
            self._files.remove(file)
            self.used -= file.size

    def close(self) -> None:
        """Accept no more work."""
        self._threads.close()


class DiskFile:
    """The file of one body. size: bytes so far, with those that are being written."""

    def __init__(self, file: FileIO, sender: Sender, disk: UploadDisk) -> None:
        self.size = 0
        self.sender = sender
        self._file = file
        self._disk = disk
        self._is_given_up = False
        # The thread may still write when the file is closed outside it, after the end of the disk.
        self._in_use = Lock()

    async def write(self, data: bytearray) -> None:
        """Append bytes; raises InsufficientStorage, or UploadTooSlow if another sender needed the place."""
        self._check()
        self.size += len(data)
        self._disk.reserve(len(data))
        self._check()
        await self._disk.run(partial(self._write, data), self.sender.caller)

    async def read(self, start: int, count: int) -> bytes:
        """Return a part of the bytes; raises as `write`."""
        self._check()
        return await self._disk.run(partial(self._read, start, count), self.sender.caller)

    def give_up(self) -> None:
        """Free the place; the sender is refused when it sends the next bytes."""
        self._is_given_up = True
        self._disk.forget(self)
        self._disk.run_soon(self._truncate)

    def close(self) -> None:
        """Free the place."""
        self._disk.forget(self)
        self._disk.run_soon(self._close)

    def _check(self) -> None:
        if self._is_given_up:
            raise UploadTooSlow("The disk for uploads is full, and this upload was the slowest.")

    def _write(self, data: bytearray) -> None:
        left = memoryview(data)
        with self._in_use:
            # The file may be given up since the call.
            self._check()
            while left:
                left = left[self._file.write(left) :]

    def _read(self, start: int, count: int) -> bytes:
        data = preallocated(count)
        with self._in_use:
            # The file may be given up since the call.
            self._check()
            self._file.seek(start)
            while part := self._file.read(min(_PART, count - data.tell())):
                data.write(part)
        data.truncate()
        return data.getvalue()

    def _truncate(self) -> None:
        with self._in_use, suppress(OSError):
            self._file.truncate(0)

    def _close(self) -> None:
        with self._in_use:
            self._file.close()


def _new_file(folder: Path | None) -> FileIO:
    return tempfile.TemporaryFile(dir=folder, buffering=0)
