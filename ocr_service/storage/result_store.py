"""A document's files → where they stay, whatever the storage does: tried again, or spooled for later."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from ocr_service.core.errors import StorageError, StorageOutage, bare
from ocr_service.core.storage import Storage
from ocr_service.runtime.threads import Workers
from ocr_service.storage.atomic_files import in_our_words
from ocr_service.storage.parcels import DISABLED, KeepStatus, Kept, KeptFile, Parcel, StoredFile
from ocr_service.storage.spool import Depth, Spool, TornEntry
from ocr_service.telemetry import metrics, tracing

log = logging.getLogger(__name__)

# Seconds between a caller's attempts, each made up to twice as long by chance: callers must not come at once.
_PAUSES = (0.1, 0.3, 0.9)
# Seconds between attempts to empty the spool; and between looks into it, as another replica may have died.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
_LOOK_EVERY = 30.0
# An upload that outlives this many seconds has lost its connection in some way that nobody noticed.
_LONGEST_UPLOAD = 600.0
_SPOOL_THREADS = 4
# Seconds that the service waits at its end for a disk that may never answer.
_LONGEST_SPOOLING = 10.0


class Storing:
    """Owns the way of documents into the storage, and what is known of it.

    storage: None where nothing is stored. spool: None where nothing can wait.
    patience: seconds that a caller waits at most for the storage.
    trouble: why the storage could not be used last, None while all is well.
    tried: whether anything is known of it yet. spool_trouble: what is wrong with the spool's disk, or None.
    """

    def __init__(self, storage: Storage | None, spool: Spool | None, patience: float) -> None:
        self.storage = storage
        self.spool = spool
        self.trouble: StorageError | None = None
        self.tried = False
        self.spool_trouble: StorageError | None = None
        self._patience = patience
        self._threads = Workers(_SPOOL_THREADS, "spool")
        self._keeping: set[asyncio.Task[Kept]] = set()
        self._wake = asyncio.Event()

    async def keep(self, parcel: Parcel) -> Kept:
        """Store a document, or spool it, or say why neither can be; a caller that leaves stops nothing."""
        if self.storage is None:
            return DISABLED
        task = asyncio.create_task(self._keep(parcel))
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)
        return await asyncio.shield(task)

    async def watch(self) -> None:
        """Find out how the storage is and empty the spool, beside the service, until cancelled."""
        if self.storage is None:
            return
        pause = _FIRST_PAUSE
        while True:
            self._wake.clear()
            try:
                await self._catch_up()
                pause = _FIRST_PAUSE
                await self._idle()
                continue
            except StorageError as error:
                self._note(bare(error))
            except Exception:
                log.exception("what waits in the spool could not be looked after")
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def flush(self) -> None:
        """Send up now what waits in the spool, as far as the storage takes it."""
        if self.spool is not None and self.spool.depth.documents:
            # What cannot be sent stays where it is, and the log has it already.
            with suppress(StorageError):
                await self._catch_up()

    async def close(self) -> None:
        """Wait until what callers left behind is stored or spooled."""
        if self._keeping:
            await asyncio.wait(self._keeping, timeout=self._patience + _LONGEST_SPOOLING)
        self._threads.close()
        if self.storage is not None:
            await self.storage.close()

    async def _keep(self, parcel: Parcel) -> Kept:
        with metrics.storing_duration.time(), tracing.span("store") as span:
            kept = await self._stored_or_told(parcel)
            span.set_attributes({"ocr.storage": kept.status})
        metrics.documents_stored.labels(kept.status).inc()
        return kept

    async def _stored_or_told(self, parcel: Parcel) -> Kept:
        try:
            return await self._stored_or_spooled(parcel)
        except Exception:
            # The caller's text does not depend on it.
            log.exception("%s is not stored", parcel.folder)
            return await self._kept(KeepStatus.FAILED, parcel, "It failed unexpectedly; the log says how.")

    async def _stored_or_spooled(self, parcel: Parcel) -> Kept:
        # Where it is known to be away, nobody waits for it, if only the spool has room.
        known = self.trouble
        if known and await self._spooled(parcel) is None:
            return await self._kept(KeepStatus.PENDING, parcel, known.detail)
        error = await self._try_to_upload(parcel)
        if error is None:
            return await self._kept(KeepStatus.STORED, parcel)
        no_room = await self._spooled(parcel)
        if no_room is None:
            return await self._kept(KeepStatus.PENDING, parcel, error.detail)
        reasons = " ".join(filter(None, (error.detail, no_room)))
        log.error("%s is not stored: %s", parcel.folder, reasons)
        return await self._kept(KeepStatus.FAILED, parcel, reasons)

    async def _try_to_upload(self, parcel: Parcel) -> StorageError | None:
        try:
            async with asyncio.timeout(self._patience):
                await self._upload(parcel, _PAUSES)
        except TimeoutError:
            error: StorageError = StorageOutage(f"The storage took more than {self._patience:g} seconds.")
        except StorageError as failure:
            error = bare(failure)
        else:
            self._note(None)
            return None
        self._note(error)
        return error

    async def _spooled(self, parcel: Parcel) -> str | None:
        """Let a document wait; return why it cannot, in a sentence that is empty where there is no spool."""
        if self.spool is None:
            return ""
        try:
            await self._threads.run(self.spool.add, parcel)
        except StorageError as error:
            return error.detail
        log.warning("%s waits; the spool holds %s", parcel.folder, _in_words(self.spool.depth))
        self._wake.set()
        return None

    async def _kept(self, status: KeepStatus, parcel: Parcel, error: str | None = None) -> Kept:
        assert self.storage is not None
        files = () if status is KeepStatus.FAILED else parcel.files
        keys = [parcel.folder + file.name for file in files]
        # The address of what is not there yet would only mislead.
        is_there = status is KeepStatus.STORED
        urls = await asyncio.gather(*map(self.storage.url, keys)) if is_there else [None] * len(keys)
        kept = tuple(
            KeptFile(key, file.content_type, len(file.body), url)
            for key, file, url in zip(keys, files, urls, strict=True)
        )
        return Kept(status, self.storage.kind, self.storage.bucket, parcel.folder, kept, error)

    async def _upload(self, parcel: Parcel, pauses: tuple[float, ...] = ()) -> None:
        """Store all files side by side; raises the first one's failure and gives up the others."""
        try:
            async with asyncio.TaskGroup() as uploading:
                for file in parcel.files:
                    uploading.create_task(self._put(parcel, file, pauses))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _put(self, parcel: Parcel, file: StoredFile, pauses: tuple[float, ...]) -> None:
        assert self.storage is not None
        key = parcel.folder + file.name
        for pause in pauses:
            with suppress(StorageOutage):
                await self.storage.put(key, file.body, file.content_type, parcel.metadata)
                return
            await asyncio.sleep(pause * random.uniform(1, 2))
        await self.storage.put(key, file.body, file.content_type, parcel.metadata)

    async def _catch_up(self) -> None:
        """Empty the spool, one document at a time; raises what the storage or the spool's disk says."""
        assert self.storage is not None
        if self.spool is not None:
            await self._empty(self.spool)
        if self.trouble or not self.tried:
            await self.storage.check()
            self._note(None)

    async def _empty(self, spool: Spool) -> None:
        try:
            await self._threads.run(spool.tidy)
            while taken := await self._threads.run(spool.take):
                await self._upload_taken(spool, taken)
            self._note_spool(None)
        except OSError as error:
            self._note_spool(in_our_words(error, "The spool's disk"))

    async def _upload_taken(self, spool: Spool, taken: Path) -> None:
        async with self._held(spool, taken):
            try:
                async with asyncio.timeout(_LONGEST_UPLOAD):
                    await self._upload(await self._threads.run(spool.read, taken))
                self._note(None)
            except TornEntry:
                log.error("the disk has not kept %s whole; it is lost", taken.name)
            except TimeoutError:
                raise StorageOutage("The storage does not come to an end.") from None
            await self._threads.run(spool.remove, taken)
            log.info("a document that waited is stored; the spool holds %s", _in_words(spool.depth))

    @asynccontextmanager
    async def _held(self, spool: Spool, taken: Path) -> AsyncIterator[None]:
        """Show the other replicas that the document is being uploaded; give it back where that fails."""
        touching = asyncio.create_task(self._keep_touching(spool, taken))
        try:
            yield
        except FileNotFoundError:
            log.warning("%s was taken over by another process", taken.name)
        except BaseException:
            with suppress(OSError):
                # Not in a thread: it is one rename, and at the service's end nobody waits for threads.
                spool.give_back(taken)
            raise
        finally:
            touching.cancel()

    async def _keep_touching(self, spool: Spool, taken: Path) -> None:
        while True:
            await asyncio.sleep(spool.lease / 4)
            with suppress(OSError):
                await self._threads.run(spool.touch, taken)

    async def _idle(self) -> None:
        """Wait for something to do; what another process has taken may be left when its lease is over."""
        spool = self.spool
        seconds = spool.lease / 2 if spool and spool.depth.documents else _LOOK_EVERY
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    def _note(self, trouble: StorageError | None) -> None:
        """Remember how the storage is; the log is told when that changes, and not for every document."""
        before, self.trouble, self.tried = self.trouble, trouble, True
        if trouble is None:
            if before is not None:
                log.info("the storage can be used again")
        elif type(trouble) is not type(before):
            hope = "which may pass" if isinstance(trouble, StorageOutage) else "until somebody mends it"
            log.error("the storage cannot be used, %s: %s", hope, trouble.detail)

    def _note_spool(self, trouble: StorageError | None) -> None:
        if trouble and self.spool_trouble is None:
            log.error("the spool cannot be looked after: %s", trouble.detail)
        self.spool_trouble = trouble


def _in_words(depth: Depth) -> str:
    return f"{depth.documents} documents, {depth.size} bytes"
