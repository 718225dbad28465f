"""Documents that wait on a volume for a storage that is away.

Each is a folder, whose name says its state, when it came, and its bytes. A change of state is a rename, which
any file system does whole and for one process alone, NFS included; so replicas share a spool without locks:

    writing-…   being written; what a process that died has left is removed
    waiting-…   whole, for whoever takes it first
    taken-…     being uploaded; whoever uploads it touches it every few seconds, and when nobody has for the
                length of a lease, its process is dead and it waits again
    done-…      uploaded, and being removed

A process that is stopped for longer than the lease uploads what another uploads too: the same bytes under the
same keys, which harms nothing.
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
from ocr_service.storage.atomic_files import in_our_words, sync_folder, write_through
from ocr_service.storage.parcels import Parcel, StoredFile

log = logging.getLogger(__name__)

_WHAT = "The spool's disk"
_MANIFEST = "manifest.json"
# Seconds after which a folder that is being written has been left by a process that died.
_LONGEST_WRITING = 600.0


@dataclass(frozen=True, slots=True)
class Depth:
    """How much waits."""

    documents: int = 0
    size: int = 0


class TornEntry(Exception):
    """A document that the disk has lost a part of."""


class Spool:
    """One folder, which all replicas may share. Every method waits for the disk, and may raise OSError.

    max_bytes: most that may wait. lease: seconds for which a document that is taken need not be touched.
    depth: as this process has last seen it.
    """

    def __init__(self, folder: Path, max_bytes: int, lease: float = 20.0) -> None:
        self._folder = folder
        self.max_bytes = max_bytes
        self.lease = lease
        self.depth = Depth()

    def add(self, parcel: Parcel) -> None:
        """Write a document down, whole or not at all; raises StorageError."""
        name = _name(parcel.size)
        writing = self._folder / f"writing-{name}"
        try:
            writing.mkdir(parents=True)
            # Those that are being written count too, this one included: the limit is never passed.
            if self._look().size > self.max_bytes:
                raise StorageRefusal(f"The spool is full: {self.max_bytes // 2**20} MiB may wait in it.")
            _write(writing, parcel)
            writing.rename(self._folder / f"waiting-{name}")
            sync_folder(self._folder)
        except OSError as error:
            shutil.rmtree(writing, ignore_errors=True)
            raise in_our_words(error, _WHAT) from None
        except StorageRefusal:
            shutil.rmtree(writing, ignore_errors=True)
            raise
        finally:
            self._look()

    def take(self) -> Path | None:
        """Take the document that has waited longest, None where there is none."""
        for waiting in self._entries("waiting"):
            taken = _in_state(waiting, "taken")
            try:
                # First, as one that is seen as taken must not look as if it were left.
                os.utime(waiting)
                return waiting.rename(taken)
            except FileNotFoundError:
                continue  # another process was first
        return None

    def read(self, taken: Path) -> Parcel:
        """Return what was added; raises TornEntry where the disk has not kept it."""
        try:
            manifest = json.loads((taken / _MANIFEST).read_bytes())
            files = tuple(_read(taken / str(number), said) for number, said in enumerate(manifest["files"]))
            return Parcel(manifest["folder"], files, manifest["metadata"])
        except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
            if not taken.exists():
                raise
            raise TornEntry(taken.name) from error

    def touch(self, taken: Path) -> None:
        """Say that the document is still being uploaded."""
        os.utime(taken)

    def give_back(self, taken: Path) -> None:
        """Let the document wait again, behind the others: it may be the one that the storage refuses."""
        taken.rename(self._folder / f"waiting-{_name(_size(taken))}")

    def remove(self, taken: Path) -> None:
        """Forget the document."""
        done = _in_state(taken, "done")
        # In two steps: what is killed between its files must not look torn.
        taken.rename(done)
        shutil.rmtree(done, ignore_errors=True)
        self._look()

    def tidy(self) -> None:
        """Take up what dead processes have left."""
        now = self._now()
        for taken in self._older("taken", now - self.lease):
            log.warning("the upload of %s was left by its process; it waits again", taken.name)
            taken.rename(_in_state(taken, "waiting"))
        for writing in self._older("writing", now - _LONGEST_WRITING):
            log.warning("removing %s, which was never written to its end", writing.name)
            shutil.rmtree(writing, ignore_errors=True)
        for done in self._entries("done"):
            shutil.rmtree(done, ignore_errors=True)
        self._look()

    def _look(self) -> Depth:
        sizes = [_size(entry) for state in ("writing", "waiting", "taken") for entry in self._entries(state)]
        self.depth = Depth(len(sizes), sum(sizes))
        return self.depth

    def _entries(self, state: str) -> list[Path]:
        return sorted(self._folder.glob(f"{state}-{'[0-9]' * 20}-*-*[0-9]"))

    def _older(self, state: str, limit: float) -> Iterator[Path]:
        for entry in self._entries(state):
            try:
                if entry.stat().st_mtime < limit:
                    yield entry
            except FileNotFoundError:
                continue  # another process has it by now

    def _now(self) -> float:
        """Read the volume's own clock, which may differ from this machine's."""
        self._folder.mkdir(parents=True, exist_ok=True)
        clock = self._folder / ".clock"
        clock.touch()
        return clock.stat().st_mtime


def _name(size: int) -> str:
    return f"{time.time_ns():020d}-{uuid.uuid4().hex[:12]}-{size}"


def _size(entry: Path) -> int:
    return int(entry.name.rpartition("-")[2])


def _in_state(entry: Path, state: str) -> Path:
    return entry.with_name(f"{state}-{entry.name.partition('-')[2]}")


def _write(folder: Path, parcel: Parcel) -> None:
    described = []
    for number, file in enumerate(parcel.files):
        write_through(folder / str(number), file.body)
        sha256 = hashlib.sha256(file.body).hexdigest()
        described.append({"name": file.name, "content_type": file.content_type, "sha256": sha256})
    manifest = {"folder": parcel.folder, "metadata": dict(parcel.metadata), "files": described}
    write_through(folder / _MANIFEST, json.dumps(manifest).encode())
    sync_folder(folder)


def _read(path: Path, said: dict[str, str]) -> StoredFile:
    body = path.read_bytes()
    if hashlib.sha256(body).hexdigest() != said["sha256"]:
        raise ValueError(path.name)
    return StoredFile(said["name"], body, said["content_type"])
