"""The statements on the table of jobs, the same for SQLite and PostgreSQL. Only lazily imported."""

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.dml import ReturningUpdate

from ocr_service.core.errors import TooManyJobs
from ocr_service.jobs.database import Database
from ocr_service.jobs.job import OPEN, Job, JobError, JobState, NewJob, Progress
from ocr_service.jobs.queue_state import QueueState
from ocr_service.jobs.rows import columns_of, error_column, job_of, row_of
from ocr_service.jobs.settings import JobSettings
from ocr_service.jobs.table import jobs, link_key, now

# Seconds after which another process takes a job over, unless the lease is renewed.
LEASE_SECONDS = 30.0
# Seconds between the tries of a callback.
CALLBACK_PAUSES = (10.0, 30.0, 90.0, 270.0, 810.0, 2430.0)
# Seconds after which a submit that never ended is forgotten.
_ARRIVAL_SECONDS = 3600.0

_AHEAD = (JobState.PENDING, JobState.RUNNING)


class JobStore:
    """Jobs in a database. Each method is one transaction, and raises JobsUnavailable if it fails."""

    def __init__(self, database: Database, settings: JobSettings) -> None:
        self._database = database
        self._settings = settings

    async def add(self, new: NewJob) -> None:
        """Add a job whose document is arriving; raises TooManyJobs."""
        await self._database.run(lambda connection: self._add(connection, new))

    async def accept(self, new: NewJob) -> Job:
        """Let a job wait for an attempt, now that its document is durable.

        If the owner's idempotency key has a job already, return that one and forget this one.
        """
        try:
            accepted = await self._database.run(lambda connection: _accept(connection, new))
        except IntegrityError:
            await self.forget([new.id])
            accepted = await self._by_key(new)
        assert accepted is not None
        return accepted

    async def get(self, job_id: str, owner: str) -> Job | None:
        """Return a job of this owner."""
        return await self._first(_of_owner(owner).where(jobs.c.id == job_id))

    async def find(self, job_id: str) -> Job | None:
        """Return a job of any owner."""
        return await self._first(_accepted().where(jobs.c.id == job_id))

    async def by_key(self, owner: str, key: str) -> Job | None:
        """Return the job that an idempotency key of the owner has."""
        return await self._first(_of_owner(owner).where(jobs.c.idempotency_key == key))

    async def page(self, owner: str, limit: int, before: Job | None, state: JobState | None) -> Sequence[Job]:
        """Return jobs of this owner, the newest first. before: the last one of the previous page."""
        chosen = _of_owner(owner).order_by(jobs.c.created.desc(), jobs.c.id.desc()).limit(limit)
        if state is not None:
            chosen = chosen.where(jobs.c.state == state)
        if before is not None:
            older = jobs.c.created < before.created
            same = and_(jobs.c.created == before.created, jobs.c.id < before.id)
            chosen = chosen.where(or_(older, same))
        return await self._all(chosen)

    async def batch(self, owner: str, batch: str, limit: int) -> Sequence[Job]:
        """Return the jobs of this owner with a label, in the order of their submits."""
        chosen = _of_owner(owner).where(jobs.c.batch == batch).order_by(jobs.c.created, jobs.c.id)
        return await self._all(chosen.limit(limit))

    async def ahead(self, job: Job) -> tuple[int, int]:
        """Return how many jobs were submitted before and wait, and how many pages are left before it."""
        before = and_(jobs.c.state.in_(_AHEAD), jobs.c.created < job.created)
        waiting = func.count().filter(jobs.c.state == JobState.PENDING)
        pages = func.coalesce(func.sum(jobs.c.total - jobs.c.done_count), 0)
        found = await self._database.run(
            lambda connection: connection.execute(select(waiting, pages).where(before)).one()
        )
        return int(found[0]), int(found[1])

    async def claim(self, only_new_owners: bool = False) -> Job | None:
        """Begin an attempt at the job whose turn it is: its owner has the fewest at work.

        only_new_owners: only of owners that have none at work.
        """
        return await self._database.run(lambda connection: _claim(connection, only_new_owners))

    async def renew(self, job: Job, progress: Progress) -> bool:
        """Write the progress of an attempt and renew its lease; False if the attempt has lost its job."""
        values = {**columns_of(progress), "lease": now() + LEASE_SECONDS}
        return await self._change(job, values)

    async def held(self, attempts: Sequence[Job]) -> set[str]:
        """Return the ids of the jobs that are still those of their attempts."""
        tokens = [job.token for job in attempts]
        chosen = select(jobs.c.id).where(jobs.c.token.in_(tokens), jobs.c.state == JobState.RUNNING)
        found = await self._database.run(lambda connection: connection.execute(chosen).scalars().all())
        return set(found)

    async def give_back(
        self, job: Job, progress: Progress, seconds: float = 0.0, counted: bool = False
    ) -> bool:
        """End an attempt whose job another one shall go on with, after so many seconds.

        counted: the attempt counts, because the document may be the reason.
        """
        values = {
            **columns_of(progress),
            "state": JobState.PENDING,
            "token": None,
            "lease": None,
            "due": now() + seconds,
            "attempts": jobs.c.attempts - (0 if counted else 1),
        }
        return await self._change(job, values)

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
            **self._at_its_end(),
        }
        return await self._change(job, values)

    async def cancel(self, job_id: str, owner: str) -> Job | None:
        """Cancel an open job; return it, or None if there is none."""
        values = {"state": JobState.CANCELLED, **self._at_its_end()}
        chosen = update(jobs).where(jobs.c.id == job_id, jobs.c.owner == owner, jobs.c.state.in_(OPEN))
        return await self._first(chosen.values(values).returning(*jobs.c))

    async def claim_callback(self) -> Job | None:
        """Return a job at its end whose callback is due, and set the time of the next try."""
        return await self._first(_next_callback())

    async def callback_done(self, job_id: str) -> None:
        """Record that the callback was accepted."""
        done = update(jobs).where(jobs.c.id == job_id).values(callback_due=None)
        await self._database.run(lambda connection: connection.execute(done))

    async def restart(self) -> None:
        """Let the jobs wait whose attempts ended with an earlier process. Only if there is no other one."""
        values = {"state": JobState.PENDING, "token": None, "lease": None, "due": now()}
        running = update(jobs).where(jobs.c.state == JobState.RUNNING).values(values)
        await self._database.run(lambda connection: connection.execute(running))

    async def expired(self, limit: int) -> Sequence[str]:
        """Return the ids of jobs that have been kept for long enough."""
        chosen = select(jobs.c.id).where(jobs.c.expires < now()).limit(limit)
        return await self._database.run(lambda connection: connection.execute(chosen).scalars().all())

    async def forget(self, ids: Sequence[str]) -> None:
        """Delete the rows of jobs."""
        chosen = delete(jobs).where(jobs.c.id.in_(ids))
        await self._database.run(lambda connection: connection.execute(chosen))

    async def queue_state(self) -> QueueState:
        """Return the figures of all jobs."""
        return await self._database.run(_queue_state)

    async def link_key(self) -> str:
        """Return the key of signed addresses."""
        chosen = select(link_key.c.value)
        return await self._database.run(lambda connection: connection.execute(chosen).scalar_one())

    async def close(self) -> None:
        """Close the database."""
        await self._database.close()

    def _add(self, connection: Connection, new: NewJob) -> None:
        owned = jobs.c.owner == new.owner
        count, size = connection.execute(
            select(
                func.count().filter(jobs.c.state.in_(OPEN)),
                func.coalesce(func.sum(jobs.c.size), 0),
            ).where(owned)
        ).one()
        if count >= self._settings.max:
            raise TooManyJobs(
                f"{count} jobs are open, and OCR_JOBS_MAX allows no more. Retry when one has ended."
            )
        if size + new.size > self._settings.max_mb * 2**20 and size:
            raise TooManyJobs(
                f"The documents of the jobs that are kept have {int(size) // 2**20} MiB; OCR_JOBS_MAX_MB is "
                f"{self._settings.max_mb}. Delete jobs that have ended, or retry later."
            )
        # The key comes with the acceptance, so that a submit that breaks off does not take it.
        values = {**row_of(new), "idempotency_key": None}
        times = {"created": now(), "due": now(), "expires": now() + _ARRIVAL_SECONDS}
        connection.execute(insert(jobs).values(**values, **times))

    def _at_its_end(self) -> dict[str, Any]:
        return {
            "ended": now(),
            "expires": now() + self._settings.keep,
            "token": None,
            "lease": None,
            "callback_due": case((jobs.c.callback_url.is_not(None), now()), else_=None),
        }

    async def _change(self, job: Job, values: dict[str, Any]) -> bool:
        """Change the row of a job if it is still that of the attempt."""
        mine = and_(jobs.c.id == job.id, jobs.c.token == job.token, jobs.c.state == JobState.RUNNING)
        changing = update(jobs).where(mine).values(values)
        return await self._database.run(lambda connection: connection.execute(changing).rowcount == 1)

    async def _by_key(self, new: NewJob) -> Job | None:
        assert new.idempotency_key is not None
        return await self.by_key(new.owner, new.idempotency_key)

    async def _first(self, statement: Any) -> Job | None:
        found = await self._all(statement)
        return found[0] if found else None

    async def _all(self, statement: Any) -> Sequence[Job]:
        rows = await self._database.run(lambda connection: connection.execute(statement).mappings().all())
        return [job_of(row) for row in rows]


def _of_owner(owner: str) -> Select[Any]:
    return _accepted().where(jobs.c.owner == owner)


def _accepted() -> Select[Any]:
    return select(jobs).where(jobs.c.state != JobState.ARRIVING)


def _accept(connection: Connection, new: NewJob) -> Job | None:
    values = {
        "state": JobState.PENDING,
        "idempotency_key": new.idempotency_key,
        "created": now(),
        "due": now(),
        "expires": None,
    }
    arrived = update(jobs).where(jobs.c.id == new.id).values(values).returning(*jobs.c)
    row = connection.execute(arrived).mappings().one_or_none()
    return job_of(row) if row else None


def _claim(connection: Connection, only_new_owners: bool) -> Job | None:
    other = jobs.alias()
    at_work = (
        select(func.count())
        .where(other.c.owner == jobs.c.owner, other.c.state == JobState.RUNNING)
        .scalar_subquery()
    )
    chosen = (
        select(jobs.c.id)
        .where(_is_claimable(), at_work == 0 if only_new_owners else literal(True))
        .order_by(at_work, jobs.c.created, jobs.c.id)
        .limit(1)
        .with_for_update(skip_locked=True, of=jobs)
        .scalar_subquery()
    )
    values = {
        "state": JobState.RUNNING,
        "token": uuid.uuid4().hex,
        "lease": now() + LEASE_SECONDS,
        "attempts": jobs.c.attempts + 1,
        "started": func.coalesce(jobs.c.started, now()),
    }
    row = (
        connection.execute(update(jobs).where(jobs.c.id == chosen).values(values).returning(*jobs.c))
        .mappings()
        .one_or_none()
    )
    return job_of(row) if row else None


def _next_callback() -> ReturningUpdate[Any]:
    chosen = (
        select(jobs.c.id)
        .where(jobs.c.callback_due <= now())
        .order_by(jobs.c.callback_due)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    # After the last pause there is no further try: now() + NULL is NULL.
    pause = case(dict(enumerate(CALLBACK_PAUSES)), value=jobs.c.callback_tries, else_=None)
    values = {"callback_due": now() + pause, "callback_tries": jobs.c.callback_tries + 1}
    return update(jobs).where(jobs.c.id == chosen).values(values).returning(*jobs.c)


def _is_claimable() -> ColumnElement[bool]:
    waits = and_(jobs.c.state == JobState.PENDING, jobs.c.due <= now())
    is_abandoned = and_(jobs.c.state == JobState.RUNNING, jobs.c.lease < now())
    return or_(waits, is_abandoned)


def _queue_state(connection: Connection) -> QueueState:
    by_state = connection.execute(select(jobs.c.state, func.count()).group_by(jobs.c.state)).all()
    oldest = select(now() - func.min(jobs.c.created)).where(jobs.c.state == JobState.PENDING)
    return QueueState({state: int(count) for state, count in by_state}, connection.execute(oldest).scalar())
