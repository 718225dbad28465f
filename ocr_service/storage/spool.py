"""Bundles on a volume that wait for the end of a storage outage.

Each bundle is a folder. Its name holds its state, the time of its arrival and its size in bytes. A change of
state is a rename, which is atomic on every file system, NFS included, and succeeds for one process only.
Therefore replicas share a spool without locks:

    writing-…   is being written; deleted if its process has died, and not counted if nothing is added for the
                time of a lease
    waiting-…   is complete; any process may take it
    taken-…     is being uploaded; its process renews the lease every few seconds. If the lease expires, the
                process is considered dead, and the bundle waits again
    done-…      is uploaded and being deleted

If a process is suspended for longer than its lease, two processes upload the same bundle. This is harmless:
they write the same bytes under the same keys.
"""

import hashlib
import json
import logging
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ocr_service.core.errors import StorageRefusal
from ocr_service.storage.atomic_files import storage_error, sync_folder, write_through
from ocr_service.storage.bundles import Bundle, FileToStore

log = logging.getLogger(__name__)

VOLUME = "The spool volume"
_MANIFEST = "manifest.json"
# If a folder is being written for longer than this many seconds, its process has died.
_MAX_WRITE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Depth:
    """Content of a spool: the number of documents, and their bytes."""

    documents: int = 0
    size: int = 0


class DamagedEntry(Exception):
    """The disk has lost or changed a part of a bundle."""


class Spool:
    """One folder, which replicas may share. All methods block on the disk and may raise OSError.

    max_bytes: limit of the content. lease: seconds after which a taken entry counts as abandoned.
    depth: content as last seen by this process.
    """

    def __init__(self, folder: Path, max_bytes: int, lease: float = 20.0) -> None:
        self._folder = folder
        self.max_bytes = max_bytes
        self.lease = lease
        self.depth = Depth()

    def add(self, bundle: Bundle) -> None:
        """Write a bundle atomically; raises StorageError."""
        name = _new_name(bundle.size)
        writing = self._folder / f"writing-{name}"
        try:
            writing.mkdir(parents=True)
            # Bundles that are being written count too, including this one, so the limit is never exceeded.
            if self._measure().size > self.max_bytes:
                raise StorageRefusal(f"The spool is full: its limit is {self.max_bytes // 2**20} MiB.")
            _write(writing, bundle)
            writing.rename(self._folder / f"waiting-{name}")
            sync_folder(self._folder)
        except OSError as error:
            shutil.rmtree(writing, ignore_errors=True)
            raise storage_error(error, VOLUME) from None
        except StorageRefusal:
            shutil.rmtree(writing, ignore_errors=True)
            raise
        finally:
            self._measure()

    def take(self) -> Path | None:
        """Take the oldest waiting entry; return None if none waits."""
        for waiting in self._entries("waiting"):
            taken = _in_state(waiting, "taken")
            try:
                # Before the rename: otherwise a new lease would look expired for a moment.
                os.utime(waiting)
                return waiting.rename(taken)
            except FileNotFoundError:
                continue  # another process was faster
        return None

    def read(self, taken: Path) -> Bundle:
        """Read the bundle of an entry; raises DamagedEntry if it is incomplete or changed."""
        try:
            manifest = json.loads((taken / _MANIFEST).read_bytes())
            files = tuple(_read(taken / str(number), row) for number, row in enumerate(manifest["files"]))
            return Bundle(manifest["folder"], files, manifest["metadata"])
        except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
            if not taken.exists():
                raise
            raise DamagedEntry(taken.name) from error

    def renew(self, taken: Path) -> None:
        """Renew the lease of an entry."""
        os.utime(taken)

    def release(self, taken: Path) -> None:
        """Let an entry wait again, behind the others: the storage may refuse this one only."""
        taken.rename(self._folder / f"waiting-{time.time_ns():020d}-{_identity(taken)}")

    def remove(self, taken: Path) -> None:
        """Delete an entry."""
        done = _in_state(taken, "done")
        # The rename comes first: a process that dies during the deletion must not leave a damaged entry.
        taken.rename(done)
        shutil.rmtree(done, ignore_errors=True)
        self._measure()

    def recover(self) -> None:
        """Return abandoned uploads to the queue, and delete the remains of dead processes."""
        now = self._now()
        for taken in self._older("taken", now - self.lease):
            log.warning("the process that uploaded %s is gone; the upload will be retried", taken.name)
            taken.rename(_in_state(taken, "waiting"))
        for writing in self._older("writing", now - _MAX_WRITE_SECONDS):
            log.warning("deleting the incomplete spool entry %s", writing.name)
            shutil.rmtree(writing, ignore_errors=True)
        for done in self._entries("done"):
            shutil.rmtree(done, ignore_errors=True)
        self._measure()

    def _measure(self) -> Depth:
        # One listing: between two of them, an entry may change its state and be counted twice or not at all.
        # The listing itself may have both names of an entry.
        counted = {_identity(entry): _size(entry) for entry in self._entries("[wt]*") if self._lives(entry)}
        self.depth = Depth(len(counted), sum(counted.values()))
        return self.depth

    def _lives(self, entry: Path) -> bool:
        """Whether an entry takes up space: not the half-written one of a process that was killed."""
        if not entry.name.startswith("writing-"):
            return True
        try:
            return entry.stat().st_mtime > self._now() - self.lease
        except FileNotFoundError:
            return False

    def _entries(self, state: str) -> list[Path]:
        return sorted(self._folder.glob(f"{state}-{'[0-9]' * 20}-*-*[0-9]"))

    def _older(self, state: str, limit: float) -> Iterator[Path]:
        for entry in self._entries(state):
            try:
                if entry.stat().st_mtime < limit:
                    yield entry
            except FileNotFoundError:
                continue  # another process has renamed it

    def _now(self) -> float:
        """Return the time by the clock of the volume, which may differ from the local clock."""
        self._folder.mkdir(parents=True, exist_ok=True)
        clock = self._folder / ".clock"
        clock.touch()
        return clock.stat().st_mtime


def _new_name(size: int) -> str:
    return f"{time.time_ns():020d}-{uuid.uuid4().hex[:12]}-{size}"


def _identity(entry: Path) -> str:
    """Return the part of the name that stays the same in every state."""
    return entry.name.split("-", 2)[2]


def _size(entry: Path) -> int:
    return int(entry.name.rpartition("-")[2])


def _in_state(entry: Path, state: str) -> Path:
    return entry.with_name(f"{state}-{entry.name.partition('-')[2]}")


def _write(folder: Path, bundle: Bundle) -> None:
    rows = []
    for number, file in enumerate(bundle.files):
        write_through(folder / str(number), file.body)
        sha256 = hashlib.sha256(file.body).hexdigest()
        rows.append({"name": file.name, "content_type": file.content_type, "sha256": sha256})
    manifest = {"folder": bundle.folder, "metadata": dict(bundle.metadata), "files": rows}
    write_through(folder / _MANIFEST, json.dumps(manifest).encode())
    sync_folder(folder)


def _read(path: Path, row: dict[str, str]) -> FileToStore:
    body = path.read_bytes()
    if hashlib.sha256(body).hexdigest() != row["sha256"]:
        raise ValueError(path.name)
    return FileToStore(row["name"], body, row["content_type"])
