"""The jobs in a database. Only lazily imported."""

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Executable
from sqlalchemy.exc import IntegrityError

from ocr_service.core.errors import TooManyJobs
from ocr_service.jobs import statements
from ocr_service.jobs.changes import Changes
from ocr_service.jobs.database import Database
from ocr_service.jobs.job import Job, JobError, JobState, JobStatus, NewJob, Progress
from ocr_service.jobs.queue_state import QueueState
from ocr_service.jobs.rows import columns_of, error_column, job_of, row_of, status_of
from ocr_service.jobs.settings import JobSettings

Parameters = Mapping[str, Any]


class JobStore:
    """Jobs in a database. Each method is one transaction, and raises JobsUnavailable if it fails.

    changes: of the jobs, by this process.
    """

    def __init__(self, database: Database, settings: JobSettings) -> None:
        self.changes = Changes()
        self._database = database
        self._settings = settings

    async def add(self, new: NewJob) -> None:
        """Add a job whose document is arriving; raises TooManyJobs."""
        await self._database.run(lambda connection: self._add(connection, new))

    async def accept(self, new: NewJob) -> Job:
        """Let a job wait for an attempt, now that its document is durable.

        If the owner's idempotency key has a job already, return that one; this one is not accepted.
        """
        parameters = {"job_id": new.id, "idempotency_key": new.idempotency_key}
        try:
            accepted = await self._first(statements.ACCEPT, parameters)
        except IntegrityError:
            assert new.idempotency_key is not None
            accepted = await self.by_key(new.owner, new.idempotency_key)
        assert accepted is not None
        return accepted

    async def get(self, job_id: str, owner: str) -> Job | None:
        """Return a job of this owner."""
        return await self._first(statements.GET, {"job_id": job_id, "job_owner": owner})

    async def status(self, job_id: str, owner: str) -> JobStatus | None:
        """Return a job of this owner and its place in the queue."""
        rows = await self._rows(statements.STATUS, {"job_id": job_id, "job_owner": owner})
        return status_of(rows[0]) if rows else None

    async def find(self, job_id: str) -> Job | None:
        """Return a job of any owner."""
        return await self._first(statements.FIND, {"job_id": job_id})

    async def by_key(self, owner: str, key: str) -> Job | None:
        """Return the job that an idempotency key of the owner has."""
        return await self._first(statements.BY_KEY, {"job_owner": owner, "key": key})

    async def page(
        self,
        owner: str,
        limit: int,
        before: Job | None = None,
        state: JobState | None = None,
        batch: str | None = None,
    ) -> Sequence[Job]:
        """Return jobs of this owner, the newest first. before: the last one of the previous page."""
        parameters: dict[str, Any] = {"job_owner": owner, "most": limit}
        if state is not None:
            parameters["job_state"] = state
        if batch is not None:
            parameters["label"] = batch
        if before is not None:
            parameters |= {"job_created": before.created, "job_id": before.id}
        chosen = (state is not None, batch is not None, before is not None)
        return await self._all(statements.PAGES[chosen], parameters)

    async def batch(self, owner: str, batch: str, limit: int) -> Sequence[Job]:
        """Return the jobs of this owner with a label, in the order of their submits."""
        return await self._all(statements.BATCH, {"job_owner": owner, "label": batch, "most": limit})

    async def claim(self, only_new_owners: bool = False) -> Job | None:
        """Begin an attempt at the job whose turn it is: its owner has the fewest at work.

        only_new_owners: only of owners that have none at work.
        """
        parameters = {"token": uuid.uuid4().hex}
        return self._told(await self._first(statements.CLAIM[only_new_owners], parameters))

    async def renew(self, job: Job, progress: Progress) -> bool:
        """Write the progress of an attempt and renew its lease; False if the attempt has lost its job."""
        return await self._change(statements.RENEW, job, columns_of(progress))

    async def held(self, attempts: Sequence[Job]) -> set[str]:
        """Return the ids of the jobs that are still those of their attempts."""
        rows = await self._rows(statements.HELD, {"tokens": [job.token for job in attempts]})
        return {row["id"] for row in rows}

    async def give_back(
        self, job: Job, progress: Progress, seconds: float = 0.0, counted: bool = False
    ) -> bool:
        """End an attempt whose job another one shall go on with, after so many seconds.

        counted: the attempt counts, because the document may be the reason.
        """
        values = {**columns_of(progress), "pause": seconds}
        return await self._change(statements.GIVE_BACK[counted], job, values)

    async def end(
        self,
        job: Job,
        progress: Progress,
        error: JobError | None,
        final: int = 0,
        stored: Mapping[str, Any] | None = None,
    ) -> bool:
        """End a job: it is done, or failed if there is an error. final, stored: see `Job`."""
        values = {
            **columns_of(progress),
            "stored": json.dumps(stored) if stored else None,
            "state": JobState.FAILED if error else JobState.DONE,
            "error": error_column(error),
            "final": final,
            "keep_seconds": self._settings.keep,
        }
        return await self._change(statements.END, job, values)

    async def cancel(self, job_id: str, owner: str) -> Job | None:
        """Cancel an open job; return it, or None if there is none."""
        parameters = {"job_id": job_id, "job_owner": owner, "keep_seconds": self._settings.keep}
        return self._told(await self._first(statements.CANCEL, parameters))

    async def claim_callback(self, busy: Sequence[str] = ()) -> Job | None:
        """Return a job at its end whose callback is due, and set the time of the next try.

        busy: owners whose jobs are left out.
        """
        return await self._first(statements.NEXT_CALLBACK, {"busy": list(busy)})

    async def callback_done(self, job_id: str) -> None:
        """Record that the callback was accepted."""
        await self._write(statements.CALLBACK_DONE, {"job_id": job_id})

    async def restart(self) -> None:
        """Let the jobs wait whose attempts ended with an earlier process. Only if there is no other one."""
        await self._write(statements.RESTART, {})

    async def expired(self, limit: int) -> Sequence[str]:
        """Return the ids of jobs that have been kept for long enough."""
        return [row["id"] for row in await self._rows(statements.EXPIRED, {"most": limit})]

    async def forget(self, ids: Sequence[str]) -> None:
        """Delete the rows of jobs."""
        await self._write(statements.FORGET, {"ids": ids})
        for job_id in ids:
            self.changes.tell(job_id)

    async def queue_state(self) -> QueueState:
        """Return the figures of all jobs."""
        return await self._database.run(_queue_state)

    async def link_key(self) -> str:
        """Return the key of signed addresses."""
        return str((await self._rows(statements.LINK_KEY, {}))[0]["value"])

    async def close(self) -> None:
        """Close the database."""
        await self._database.close()

    def _add(self, connection: Connection, new: NewJob) -> None:
        owner = {"job_owner": new.owner}
        if connection.dialect.name == "postgresql":
            connection.execute(statements.LOCK_OWNER, owner)
        count, size = connection.execute(statements.SUMS, owner).one()
        self._refuse_too_many(count, int(size), new.size)
        # The key comes with the acceptance, so that a submit that breaks off does not take it.
        connection.execute(statements.ADD, {**row_of(new), "idempotency_key": None})

    def _refuse_too_many(self, count: int, size: int, more: int) -> None:
        if count >= self._settings.max:
            raise TooManyJobs(
                f"{count} jobs are open, and OCR_JOBS_MAX allows no more. Retry when one has ended."
            )
        if size + more > self._settings.max_mb * 2**20 and size:
            raise TooManyJobs(
                f"The documents of the jobs that are kept have {size // 2**20} MiB; OCR_JOBS_MAX_MB is "
                f"{self._settings.max_mb}. Delete jobs that have ended, or retry later."
            )

    async def _change(self, statement: Executable, job: Job, values: Parameters) -> bool:
        """Change the row of a job if it is still that of the attempt."""
        is_mine = await self._write(statement, {**values, "job_id": job.id, "job_token": job.token}) == 1
        self.changes.tell(job.id)
        return is_mine

    def _told(self, job: Job | None) -> Job | None:
        if job is not None:
            self.changes.tell(job.id)
        return job

    async def _write(self, statement: Executable, parameters: Parameters) -> int:
        """Return the number of rows that were changed."""

        def work(connection: Connection) -> int:
            return connection.execute(statement, parameters).rowcount

        return await self._database.run_one(work)

    async def _first(self, statement: Executable, parameters: Parameters) -> Job | None:
        found = await self._all(statement, parameters)
        return found[0] if found else None

    async def _all(self, statement: Executable, parameters: Parameters) -> Sequence[Job]:
        return [job_of(row) for row in await self._rows(statement, parameters)]

    async def _rows(self, statement: Executable, parameters: Parameters) -> Sequence[Mapping[str, Any]]:
        def work(connection: Connection) -> Sequence[Any]:
            return connection.execute(statement, parameters).mappings().all()

        return await self._database.run_one(work)


def _queue_state(connection: Connection) -> QueueState:
    by_state = connection.execute(statements.BY_STATE).all()
    oldest = connection.execute(statements.OLDEST).scalar()
    return QueueState({state: int(count) for state, count in by_state}, oldest)
