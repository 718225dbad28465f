"""The statements on the table of jobs, with both databases."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, Executable, text, update

from ocr_service.core.errors import JobsUnavailable, TooManyJobs
from ocr_service.jobs.database import Database
from ocr_service.jobs.job import Job, JobEngine, JobError, JobState, JobStatus, NewJob, Progress
from ocr_service.jobs.settings import JobSettings
from ocr_service.jobs.statements import CLAIM, STATUS
from ocr_service.jobs.store import JobStore
from ocr_service.jobs.table import jobs
from tests.postgresql import RunningPostgresql

pytestmark = pytest.mark.anyio

OpenStore = Callable[[JobSettings], Awaitable[JobStore]]
ENGINE = JobEngine("scripted", "1")
NOTHING = Progress((), (), ENGINE)
# By this connection, in this transaction and those shortly before.
ROWS_READ = text("SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'jobs'")


@pytest.fixture(params=["sqlite", "postgresql"])
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Database, OpenStore]]:
    if request.param == "sqlite":
        database = Database.in_folder(tmp_path / "jobs")
    else:
        server: RunningPostgresql = request.getfixturevalue("postgresql")
        database = Database.in_postgresql(server.new_database())
    await database.migrate()

    async def store(settings: JobSettings) -> JobStore:
        return JobStore(database, settings)

    yield database, store
    await database.close()


@pytest.fixture
async def store(opened: tuple[Database, OpenStore]) -> JobStore:
    return await opened[1](JobSettings())


def new_job(name: str, owner: str = "", **values: object) -> NewJob:
    new = NewJob(name, owner, "ocr", {"pages": "1-"}, "a.pdf", "00", 10, (1, 2, 3), "request")
    return replace(new, **values)  # type: ignore[arg-type]


async def accepted(store: JobStore, name: str, owner: str = "", **values: object) -> Job:
    new = new_job(name, owner, **values)
    await store.add(new)
    return await store.accept(new)


async def expire_leases(database: Database) -> None:
    await database.run(lambda connection: connection.execute(update(jobs).values(lease=0)))


async def test_job_is_seen_when_its_document_is_durable(store: JobStore) -> None:
    new = new_job("a", "me")
    await store.add(new)
    assert await store.get("a", "me") is None and await store.claim() is None
    accepted_job = await store.accept(new)
    assert (accepted_job.state, accepted_job.asked) == (JobState.PENDING, {"pages": "1-"})
    assert await store.get("a", "me") == accepted_job
    assert await store.get("a", "other") is None


async def test_attempt_writes_its_progress_and_its_end(store: JobStore) -> None:
    await accepted(store, "a")
    job = await store.claim()
    assert job and (job.state, job.attempts) == (JobState.RUNNING, 1)
    assert await store.claim() is None
    assert await store.renew(job, Progress((2,), (2,), ENGINE))
    assert await store.end(job, Progress((2, 1, 3), (2,), ENGINE), None, final=1)
    done = await store.get("a", "")
    assert done and (done.state, done.done, done.failed, done.final) == (JobState.DONE, (2, 1, 3), (2,), 1)
    assert (
        done.engine == ENGINE and done.ended and done.expires and round(done.expires - done.ended) == 86_400
    )


async def test_attempt_whose_lease_has_ended_loses_its_job(opened: tuple[Database, OpenStore]) -> None:
    database, store = opened[0], await opened[1](JobSettings())
    await accepted(store, "a")
    first = await store.claim()
    assert first and await store.held([first]) == {"a"}
    await expire_leases(database)
    second = await store.claim()
    assert second and second.attempts == 2
    assert await store.held([first]) == set() and await store.held([second]) == {"a"}
    assert not await store.renew(first, NOTHING)
    assert not await store.end(first, NOTHING, None)
    assert not await store.give_back(first, NOTHING)
    assert await store.end(second, NOTHING, JobError(500, "job_lost", "", ""))


async def test_job_given_back_does_not_count_its_attempt(store: JobStore) -> None:
    await accepted(store, "a")
    for _ in range(5):
        job = await store.claim()
        assert job and job.attempts == 1
        await store.give_back(job, Progress((1,), (), ENGINE))
    job = await store.claim()
    assert job and job.done == (1,)
    await store.give_back(job, NOTHING, counted=True)
    job = await store.claim()
    assert job and job.attempts == 2
    await store.give_back(job, NOTHING, seconds=60)
    assert await store.claim() is None


async def test_owners_take_turns(store: JobStore) -> None:
    for name in ("a1", "a2", "a3"):
        await accepted(store, name, "a")
    await accepted(store, "b1", "b")
    claimed = [job.id for _ in range(2) if (job := await store.claim())]
    assert claimed == ["a1", "b1"]
    assert await store.claim(only_new_owners=True) is None
    await accepted(store, "c1", "c")
    new_owner = await store.claim(only_new_owners=True)
    assert new_owner and new_owner.id == "c1"


async def test_cancelled_job_is_not_ended_by_its_attempt(store: JobStore) -> None:
    await accepted(store, "a")
    job = await store.claim()
    assert job and (await store.cancel("a", "other")) is None
    cancelled = await store.cancel("a", "")
    assert cancelled and cancelled.state is JobState.CANCELLED
    assert await store.held([job]) == set() and not await store.end(job, NOTHING, None)
    assert await store.cancel("a", "") is None


async def test_claims_at_once_get_different_jobs(store: JobStore) -> None:
    names = {f"job {number}" for number in range(12)}
    for name in names:
        await accepted(store, name)
    claimed = await asyncio.gather(*(store.claim() for _ in range(16)))
    ids = [job.id for job in claimed if job]
    assert len(ids) == len(set(ids)) and set(ids) <= names
    # A claim skips the row that another one has locked, and may find no other at that moment.
    while job := await store.claim():
        ids.append(job.id)
    assert sorted(ids) == sorted(names)


async def test_limits_of_an_owner(opened: tuple[Database, OpenStore]) -> None:
    store = await opened[1](JobSettings(max=2, max_mb=1))
    await accepted(store, "large", "a", size=2**20)
    with pytest.raises(TooManyJobs, match="OCR_JOBS_MAX_MB"):
        await store.add(new_job("b", "a"))
    for name in ("c", "d"):
        await accepted(store, name, "b")
    with pytest.raises(TooManyJobs, match=r"OCR_JOBS_MAX "):
        await store.add(new_job("e", "b"))


async def test_submits_at_once_keep_the_limits_of_their_owner(postgresql: RunningPostgresql) -> None:
    url = postgresql.new_database()
    databases = [Database.in_postgresql(url) for _ in range(3)]
    await databases[0].migrate()
    stores = [JobStore(database, JobSettings(max=2)) for database in databases]
    adding = (stores[number % 3].add(new_job(f"job {number}")) for number in range(12))
    outcomes = await asyncio.gather(*adding, return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, TooManyJobs)]
    assert (len(refused), outcomes.count(None)) == (10, 2)
    for database in databases:
        await database.close()


async def test_jobs_expire(opened: tuple[Database, OpenStore]) -> None:
    database, store = opened[0], await opened[1](JobSettings())
    await accepted(store, "open")
    await store.add(new_job("never arrived"))
    assert await store.expired(10) == []
    await database.run(lambda connection: connection.execute(update(jobs).values(expires=1)))
    assert sorted(await store.expired(10)) == ["never arrived", "open"]
    await store.forget(["never arrived"])
    assert await store.expired(10) == ["open"]


async def test_newest_jobs_and_a_batch(store: JobStore) -> None:
    for name in ("a", "b", "c"):
        await accepted(store, name, "me", batch="label")
    await accepted(store, "other", "you", batch="label")
    await accepted(store, "unlabelled", "me")
    page = await store.page("me", 2, batch="label")
    assert [job.id for job in page] == ["c", "b"]
    assert [job.id for job in await store.page("me", 2, page[-1], batch="label")] == ["a"]
    assert [job.id for job in await store.batch("me", "label", 10)] == ["a", "b", "c"]
    assert [job.id for job in await store.page("me", 9)] == ["unlabelled", "c", "b", "a"]
    assert [job.id for job in await store.page("me", 9, state=JobState.DONE)] == []
    assert [job.id for job in await store.page("me", 9, state=JobState.PENDING, batch="label")] == [
        "c",
        "b",
        "a",
    ]


async def make_callbacks_due(database: Database) -> None:
    due = update(jobs).where(jobs.c.callback_due.is_not(None)).values(callback_due=0)
    await database.run(lambda connection: connection.execute(due))


async def test_callback_is_due_at_the_end_and_again_after_a_pause(
    opened: tuple[Database, OpenStore],
) -> None:
    database, store = opened[0], await opened[1](JobSettings())
    await accepted(store, "a", callback_url="https://example.com/")
    assert await store.claim_callback() is None
    await store.cancel("a", "")
    tries = 0
    while (job := await store.claim_callback()) and tries < 20:
        assert job.id == "a" and await store.claim_callback() is None
        tries += 1
        await make_callbacks_due(database)
    assert tries == 7
    await accepted(store, "b", callback_url="https://example.com/")
    await store.cancel("b", "")
    assert await store.claim_callback(["other", ""]) is None
    assert await store.claim_callback(["other"])
    await store.callback_done("b")
    await make_callbacks_due(database)
    assert await store.claim_callback() is None


async def test_position_and_figures(store: JobStore) -> None:
    first, second = [await accepted(store, name) for name in ("a", "b")]
    assert await store.status("a", "") == JobStatus(first, 0, 0)
    assert await store.status("b", "") == JobStatus(second, 1, 3)
    job = await store.claim()
    assert job
    await store.renew(job, Progress((1,), (), ENGINE))
    assert await store.status("b", "") == JobStatus(second, 0, 2)
    assert await store.status("b", "other") is None
    state = await store.queue_state()
    assert state.jobs == {"running": 1, "pending": 1} and state.oldest is not None and state.oldest >= 0
    await store.cancel("b", "")
    ended = await store.status("b", "")
    assert ended and (ended.jobs_ahead, ended.pages_ahead) == (0, 0)


async def test_work_of_a_claim_and_of_a_status_grows_no_faster_than_the_jobs(
    postgresql: RunningPostgresql,
) -> None:
    """Counted in rows that PostgreSQL reads; with a subquery for each job, it reads 16 times as many."""
    database = Database.in_postgresql(postgresql.new_database())
    await database.migrate()
    store = JobStore(database, JobSettings())

    def rows_read(statement: Executable, parameters: dict[str, str]) -> Callable[[Connection], int]:
        def work(connection: Connection) -> int:
            before = connection.execute(ROWS_READ).scalar_one()
            connection.execute(statement, parameters)
            return int(connection.execute(ROWS_READ).scalar_one()) - int(before)

        return work

    read: list[tuple[int, int]] = []
    for count in (50, 150):
        for number in range(count):
            job = await accepted(store, f"{count}-{number}")
        of_status = await database.run(rows_read(STATUS, {"job_id": job.id, "job_owner": ""}))
        of_claim = await database.run(rows_read(CLAIM[False], {"token": str(count)}))
        read.append((of_status, of_claim))
    await database.close()
    (few, few_claimed), (many, many_claimed) = read
    assert many < 6 * few and many_claimed < 6 * few_claimed


async def test_text_that_a_database_might_refuse(store: JobStore) -> None:
    job = await accepted(store, "a", asked={"x": "\0 \ud800"})
    assert job.asked == {"x": "\0 \ud800"}


async def test_two_processes_that_open_an_empty_database_at_once(postgresql: RunningPostgresql) -> None:
    url = postgresql.new_database()
    databases = [Database.in_postgresql(url) for _ in range(4)]
    await asyncio.gather(*(database.migrate() for database in databases))
    await accepted(JobStore(databases[0], JobSettings()), "a")
    stores = [JobStore(database, JobSettings()) for database in databases]
    assert await stores[3].get("a", "")
    assert len({await store.link_key() for store in stores}) == 1
    for database in databases:
        await database.close()


async def test_database_that_is_away_is_named_without_its_address() -> None:
    database = Database.in_postgresql("postgresql://user:secret@127.0.0.1:1/jobs")
    with pytest.raises(JobsUnavailable) as failed:
        await database.migrate()
    assert "secret" not in str(failed.value) and failed.value.__cause__ is None
    await database.close()


async def test_folder_belongs_to_one_database(tmp_path: Path) -> None:
    database = Database.in_folder(tmp_path)
    with pytest.raises(JobsUnavailable, match="OCR_JOBS_URL"):
        Database.in_folder(tmp_path)
    await database.close()
    await Database.in_folder(tmp_path).close()
