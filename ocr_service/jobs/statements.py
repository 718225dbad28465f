"""The statements on the table of jobs, the same for SQLite and PostgreSQL. Only lazily imported.

They are built once, because that takes longer than to execute them. Values for columns that a statement does
not set are among its parameters, under the names of the columns.
"""

from itertools import compress, product
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Double,
    Select,
    Update,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from ocr_service.jobs.job import OPEN, JobState
from ocr_service.jobs.table import jobs, link_key, now

# Seconds after which another process takes a job over, unless the lease is renewed. With the time to the next
# look for jobs, a new attempt begins within 30 s also on a busy machine.
LEASE_SECONDS = 20.0
# Seconds between the tries of a callback.
CALLBACK_PAUSES = (10.0, 30.0, 90.0, 270.0, 810.0, 2430.0)
# Seconds after which a submit that never ended is forgotten.
_ARRIVAL_SECONDS = 3600.0
# First part of the number of a lock; any number that no other program uses in the same database.
_QUOTA_LOCK = 726_443

_JOB: BindParameter[str] = bindparam("job_id")
_OWNER: BindParameter[str] = bindparam("job_owner")
_TOKEN: BindParameter[str] = bindparam("job_token")
_CREATED: BindParameter[float] = bindparam("job_created", type_=Double())
_KEEP: BindParameter[float] = bindparam("keep_seconds", type_=Double())

_IS_ACCEPTED = jobs.c.state != JobState.ARRIVING
_IS_VISIBLE = and_(jobs.c.owner == _OWNER, _IS_ACCEPTED)
_IS_OPEN = jobs.c.state.in_(OPEN)
# The row is still that of the attempt.
_IS_MINE = and_(jobs.c.id == _JOB, jobs.c.token == _TOKEN, jobs.c.state == JobState.RUNNING)
_FREE = {"token": None, "lease": None}
_AT_ITS_END = {
    **_FREE,
    "ended": now(),
    "expires": now() + _KEEP,
    "callback_due": case((jobs.c.callback_url.is_not(None), now()), else_=None),
}


def _ahead_of(created: ColumnElement[float]) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """Return how many jobs were submitted before and wait, and how many pages are left before."""
    other = jobs.alias()
    earlier = select(other.c.id).where(other.c.created < created).correlate(jobs)
    waiting = earlier.where(other.c.state == JobState.PENDING).with_only_columns(func.count())
    left = func.coalesce(func.sum(other.c.total - other.c.done_count), 0)
    working = other.c.state.in_((JobState.PENDING, JobState.RUNNING))
    return waiting.scalar_subquery(), earlier.where(working).with_only_columns(left).scalar_subquery()


def _status() -> Select[Any]:
    waiting, pages = _ahead_of(jobs.c.created)
    return select(
        jobs,
        case((_IS_OPEN, waiting), else_=0).label("jobs_ahead"),
        case((_IS_OPEN, pages), else_=0).label("pages_ahead"),
    ).where(_IS_VISIBLE, jobs.c.id == _JOB)


def _claim(only_new_owners: bool) -> ReturningUpdate[Any]:
    other = jobs.alias()
    # Joined: a subquery for each waiting job would take time that grows with the square of their number.
    working = (
        select(other.c.owner, func.count().label("jobs"))
        .where(other.c.state == JobState.RUNNING)
        .group_by(other.c.owner)
        .subquery()
    )
    at_work = func.coalesce(working.c.jobs, 0)
    waits = and_(jobs.c.state == JobState.PENDING, jobs.c.due <= now())
    is_abandoned = and_(jobs.c.state == JobState.RUNNING, jobs.c.lease < now())
    chosen = (
        select(jobs.c.id)
        .select_from(jobs.outerjoin(working, working.c.owner == jobs.c.owner))
        .where(or_(waits, is_abandoned), at_work == 0 if only_new_owners else literal(True))
        .order_by(at_work, jobs.c.created, jobs.c.id)
        .limit(1)
        .with_for_update(skip_locked=True, of=jobs)
        .scalar_subquery()
    )
    values = {
        "state": JobState.RUNNING,
        "lease": now() + LEASE_SECONDS,
        "attempts": jobs.c.attempts + 1,
        "started": func.coalesce(jobs.c.started, now()),
    }
    return update(jobs).where(jobs.c.id == chosen).values(values).returning(*jobs.c)


def _next_callback() -> ReturningUpdate[Any]:
    chosen = (
        select(jobs.c.id)
        .where(jobs.c.callback_due <= now(), jobs.c.owner.not_in(bindparam("busy", expanding=True)))
        .order_by(jobs.c.callback_due)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    # After the last pause there is no further try: now() + NULL is NULL.
    pause = case(dict(enumerate(CALLBACK_PAUSES)), value=jobs.c.callback_tries, else_=None)
    values = {"callback_due": now() + pause, "callback_tries": jobs.c.callback_tries + 1}
    return update(jobs).where(jobs.c.id == chosen).values(values).returning(*jobs.c)


def _given_back(attempts: ColumnElement[int]) -> Update:
    values = {
        **_FREE,
        "state": JobState.PENDING,
        "attempts": attempts,
        "due": now() + bindparam("pause", type_=Double()),
    }
    return update(jobs).where(_IS_MINE).values(values)


def _page(*conditions: ColumnElement[bool]) -> Select[Any]:
    newest = select(jobs).where(_IS_VISIBLE, *conditions).order_by(jobs.c.created.desc(), jobs.c.id.desc())
    return newest.limit(bindparam("most"))


# A second submit of the owner would see the same sums before the first one is added.
LOCK_OWNER = select(func.pg_advisory_xact_lock(_QUOTA_LOCK, func.hashtext(_OWNER)))
SUMS = select(func.count().filter(_IS_OPEN), func.coalesce(func.sum(jobs.c.size), 0)).where(
    jobs.c.owner == _OWNER
)
ADD = insert(jobs).values(created=now(), due=now(), expires=now() + _ARRIVAL_SECONDS)
ACCEPT = (
    update(jobs)
    .where(jobs.c.id == _JOB)
    .values(state=JobState.PENDING, created=now(), due=now(), expires=None)
    .returning(*jobs.c)
)

GET = select(jobs).where(_IS_VISIBLE, jobs.c.id == _JOB)
STATUS = _status()
FIND = select(jobs).where(_IS_ACCEPTED, jobs.c.id == _JOB)
BY_KEY = select(jobs).where(_IS_VISIBLE, jobs.c.idempotency_key == bindparam("key"))
_IS_OLDER = or_(jobs.c.created < _CREATED, and_(jobs.c.created == _CREATED, jobs.c.id < _JOB))
_HAS_STATE = jobs.c.state == bindparam("job_state")
_IS_OF_BATCH = jobs.c.batch == bindparam("label")
# By whether a state and a batch are chosen, and whether there was a page before.
PAGES = {
    chosen: _page(*compress((_HAS_STATE, _IS_OF_BATCH, _IS_OLDER), chosen))
    for chosen in product((False, True), repeat=3)
}
BATCH = (
    select(jobs).where(_IS_VISIBLE, _IS_OF_BATCH).order_by(jobs.c.created, jobs.c.id).limit(bindparam("most"))
)

# By whether only jobs count whose owners have none at work.
CLAIM = {only_new_owners: _claim(only_new_owners) for only_new_owners in (False, True)}
RENEW = update(jobs).where(_IS_MINE).values(lease=now() + LEASE_SECONDS)
HELD = select(jobs.c.id).where(
    jobs.c.token.in_(bindparam("tokens", expanding=True)), jobs.c.state == JobState.RUNNING
)
# By whether the attempt counts.
GIVE_BACK = {True: _given_back(jobs.c.attempts), False: _given_back(jobs.c.attempts - 1)}
END = update(jobs).where(_IS_MINE).values(_AT_ITS_END)
CANCEL = (
    update(jobs)
    .where(jobs.c.id == _JOB, jobs.c.owner == _OWNER, _IS_OPEN)
    .values({**_AT_ITS_END, "state": JobState.CANCELLED})
    .returning(*jobs.c)
)
RESTART = (
    update(jobs)
    .where(jobs.c.state == JobState.RUNNING)
    .values({**_FREE, "state": JobState.PENDING, "due": now()})
)

NEXT_CALLBACK = _next_callback()
CALLBACK_DONE = update(jobs).where(jobs.c.id == _JOB).values(callback_due=None)

EXPIRED = select(jobs.c.id).where(jobs.c.expires < now()).limit(bindparam("most"))
FORGET = delete(jobs).where(jobs.c.id.in_(bindparam("ids", expanding=True)))

BY_STATE = select(jobs.c.state, func.count()).group_by(jobs.c.state)
OLDEST = select(now() - func.min(jobs.c.created)).where(jobs.c.state == JobState.PENDING)

LINK_KEY = select(link_key.c.value)
