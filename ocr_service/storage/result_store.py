"""Stores results: uploads with retries, and spools during an outage of the storage."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from ocr_service.core.errors import StorageError, StorageOutage, bare
from ocr_service.core.storage import Storage
from ocr_service.runtime.threads import Workers
from ocr_service.storage.atomic_files import storage_error
from ocr_service.storage.bundles import (
    DISABLED,
    Bundle,
    FileToStore,
    StorageOutcome,
    StorageStatus,
    StoredFile,
)
from ocr_service.storage.spool import VOLUME, DamagedEntry, Depth, Spool
from ocr_service.telemetry import metrics, tracing

log = logging.getLogger(__name__)

# Pauses in seconds between the attempts of a request; jitter of up to 100 % is added.
_RETRY_PAUSES = (0.1, 0.3, 0.9)
# Pause in seconds between attempts to upload the spool: the first one, then doubled up to the limit.
_MIN_SPOOL_PAUSE, _MAX_SPOOL_PAUSE = 1.0, 30.0
# Seconds between looks into an empty spool: another replica may have died and left entries.
_POLL_INTERVAL = 30.0
# Limit in seconds for an upload from the spool, against connections that hang.
_UPLOAD_TIMEOUT = 600.0
_SPOOL_THREADS = 4
# Seconds that a shutdown waits for the spool volume.
_SPOOL_TIMEOUT = 10.0


class ResultStore:
    """Stores the results of requests, empties the spool, and tracks the state of both.

    storage: None if nothing is stored. spool: None if uploads are not deferred.
    timeout: seconds that a request waits for the storage.
    error: last error of the storage, None while it works. checked: whether the storage has been used yet.
    spool_error: last error of the spool volume, None while it works.
    """

    def __init__(self, storage: Storage | None, spool: Spool | None, timeout: float) -> None:
        self.storage = storage
        self.spool = spool
        self.error: StorageError | None = None
        self.checked = False
        self.spool_error: StorageError | None = None
        self._timeout = timeout
        self._threads = Workers(_SPOOL_THREADS, "spool")
        self._running: set[asyncio.Task[StorageOutcome]] = set()
        self._spooled = asyncio.Event()

    async def store(self, bundle: Bundle) -> StorageOutcome:
        """Store or spool a bundle; continues in the background if the caller is cancelled."""
        if self.storage is None:
            return DISABLED
        task = asyncio.create_task(self._store(bundle))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def watch(self) -> None:
        """Check the storage and upload the spool, until cancelled."""
        if self.storage is None:
            return
        pause = _MIN_SPOOL_PAUSE
        while True:
            self._spooled.clear()
            try:
                await self._upload_spool()
                pause = _MIN_SPOOL_PAUSE
                await self._wait_for_entries()
                continue
            except StorageError as error:
                self._set_error(bare(error))
            except Exception:
                log.exception("uploading the spool failed unexpectedly")
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(2 * pause, _MAX_SPOOL_PAUSE)

    async def flush(self) -> None:
        """Upload the spool now, until the storage fails."""
        if self.spool is not None and self.spool.depth.documents:
            # On a failure the entries stay in the spool, and the log already has the error.
            with suppress(StorageError):
                await self._upload_spool()

    async def close(self) -> None:
        """Wait for the running uploads, which end in the storage or in the spool."""
        if self._running:
            await asyncio.wait(self._running, timeout=self._timeout + _SPOOL_TIMEOUT)
        self._threads.close()
        if self.storage is not None:
            await self.storage.close()

    async def _store(self, bundle: Bundle) -> StorageOutcome:
        with metrics.storing_duration.time(), tracing.span("store") as span:
            try:
                outcome = await self._store_or_spool(bundle)
            except Exception:
                # A storage failure never fails the request.
                log.exception("storing %s failed unexpectedly", bundle.folder)
                outcome = await self._outcome(
                    StorageStatus.FAILED, bundle, "Storing failed unexpectedly; the log has the details."
                )
            span.set_attributes({"ocr.storage": outcome.status})
        metrics.documents_stored.labels(outcome.status).inc()
        return outcome

    async def _store_or_spool(self, bundle: Bundle) -> StorageOutcome:
        # During a known outage, the request does not wait for the storage if the spool takes the bundle.
        known = self.error
        if known and await self._spool(bundle) is None:
            return await self._outcome(StorageStatus.PENDING, bundle, known.detail)
        error = await self._try_upload(bundle)
        if error is None:
            return await self._outcome(StorageStatus.STORED, bundle)
        spool_failure = await self._spool(bundle)
        if spool_failure is None:
            return await self._outcome(StorageStatus.PENDING, bundle, error.detail)
        reasons = " ".join(filter(None, (error.detail, spool_failure)))
        log.error("%s is not stored: %s", bundle.folder, reasons)
        return await self._outcome(StorageStatus.FAILED, bundle, reasons)

    async def _try_upload(self, bundle: Bundle) -> StorageError | None:
        """Upload a bundle with retries; return the error if that fails."""
        error: StorageError | None = None
        try:
            async with asyncio.timeout(self._timeout):
                await self._upload(bundle, _RETRY_PAUSES)
        except TimeoutError:
            error = StorageOutage(f"The storage took more than {self._timeout:g} seconds.")
        except StorageError as failure:
            error = bare(failure)
        self._set_error(error)
        return error

    async def _spool(self, bundle: Bundle) -> str | None:
        """Spool a bundle; on failure return the reason, which is empty if there is no spool."""
        if self.spool is None:
            return ""
        try:
            await self._threads.run(self.spool.add, bundle)
        except StorageError as error:
            return error.detail
        log.warning("%s is spooled; the spool holds %s", bundle.folder, _describe(self.spool.depth))
        self._spooled.set()
        return None

    async def _outcome(
        self, status: StorageStatus, bundle: Bundle, error: str | None = None
    ) -> StorageOutcome:
        assert self.storage is not None
        files = () if status is StorageStatus.FAILED else bundle.files
        keys = [bundle.folder + file.name for file in files]
        # No URLs for pending files: they would answer 404.
        is_stored = status is StorageStatus.STORED
        urls = await asyncio.gather(*map(self.storage.url, keys)) if is_stored else [None] * len(keys)
        stored = tuple(
            StoredFile(key, file.content_type, len(file.body), url)
            for key, file, url in zip(keys, files, urls, strict=True)
        )
        return StorageOutcome(status, self.storage.kind, self.storage.bucket, bundle.folder, stored, error)

    async def _upload(self, bundle: Bundle, pauses: tuple[float, ...] = ()) -> None:
        """Upload all files concurrently; the first failure cancels the others and is raised."""
        try:
            async with asyncio.TaskGroup() as uploads:
                for file in bundle.files:
                    uploads.create_task(self._put(bundle, file, pauses))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _put(self, bundle: Bundle, file: FileToStore, pauses: tuple[float, ...]) -> None:
        assert self.storage is not None
        key = bundle.folder + file.name
        for pause in pauses:
            with suppress(StorageOutage):
                await self.storage.put(key, file.body, file.content_type, bundle.metadata)
                return
            await asyncio.sleep(pause * random.uniform(1, 2))
        await self.storage.put(key, file.body, file.content_type, bundle.metadata)

    async def _upload_spool(self) -> None:
        """Upload the spool, one entry at a time; raises the error of the storage."""
        assert self.storage is not None
        if self.spool is not None:
            await self._upload_entries(self.spool)
        if self.error or not self.checked:
            await self.storage.check()
            self._set_error(None)

    async def _upload_entries(self, spool: Spool) -> None:
        try:
            await self._threads.run(spool.recover)
            while taken := await self._threads.run(spool.take):
                await self._upload_entry(spool, taken)
            self._set_spool_error(None)
        except OSError as error:
            self._set_spool_error(storage_error(error, VOLUME))

    async def _upload_entry(self, spool: Spool, taken: Path) -> None:
        async with self._leased(spool, taken):
            try:
                async with asyncio.timeout(_UPLOAD_TIMEOUT):
                    await self._upload(await self._threads.run(spool.read, taken))
                self._set_error(None)
            except DamagedEntry:
                log.error("the spool entry %s is damaged and lost", taken.name)
            except TimeoutError:
                raise StorageOutage(
                    f"The storage took more than {_UPLOAD_TIMEOUT:g} seconds for an upload."
                ) from None
            await self._threads.run(spool.remove, taken)
            log.info("a spooled document is stored; the spool holds %s", _describe(spool.depth))

    @asynccontextmanager
    async def _leased(self, spool: Spool, taken: Path) -> AsyncIterator[None]:
        """Renew the lease of an entry during its upload; release the entry if the upload fails."""
        renewal = asyncio.create_task(self._renew(spool, taken))
        try:
            yield
        except FileNotFoundError:
            log.warning("another process has taken over %s", taken.name)
        except BaseException:
            with suppress(OSError):
                # Not in a thread: it is a single rename, and a shutdown does not wait for threads.
                spool.release(taken)
            raise
        finally:
            renewal.cancel()

    async def _renew(self, spool: Spool, taken: Path) -> None:
        while True:
            await asyncio.sleep(spool.lease / 4)
            with suppress(OSError):
                await self._threads.run(spool.renew, taken)

    async def _wait_for_entries(self) -> None:
        """Wait for a new entry, or until the lease of another process may have expired."""
        spool = self.spool
        seconds = spool.lease / 2 if spool and spool.depth.documents else _POLL_INTERVAL
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._spooled.wait()

    def _set_error(self, error: StorageError | None) -> None:
        """Set the state of the storage; log changes only, not every failed upload."""
        previous, self.error, self.checked = self.error, error, True
        if error is None:
            if previous is not None:
                log.info("the storage works again")
        elif type(error) is not type(previous):
            state = "unavailable" if isinstance(error, StorageOutage) else "refused"
            log.error("storage %s: %s", state, error.detail)

    def _set_spool_error(self, error: StorageError | None) -> None:
        if error and self.spool_error is None:
            log.error("the spool cannot be uploaded: %s", error.detail)
        self.spool_error = error


def _describe(depth: Depth) -> str:
    return f"{depth.documents} documents, {depth.size} bytes"
