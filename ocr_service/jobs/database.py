"""The database of the jobs: a file for one process, or PostgreSQL for replicas. Only lazily imported."""

import asyncio
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, StaticPool, create_engine, event, make_url, text
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from ocr_service.core.errors import JobsFull, JobsUnavailable
from ocr_service.runtime.threads import Workers

T = TypeVar("T")

_CONNECTIONS = 4
# A process that stops inside a transaction would keep its locks for ever.
_POSTGRESQL_LIMITS = (
    "-c idle_in_transaction_session_timeout=10000 -c statement_timeout=10000 -c lock_timeout=5000"
)
_POSTGRESQL_ARGUMENTS = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "options": _POSTGRESQL_LIMITS,
    # A pool such as pgbouncer can give each transaction another connection.
    "prepare_threshold": None,
    "application_name": "ocr-service",
}
# As SQLite and PostgreSQL name the error.
_FULL = {"SQLITE_FULL", "53100"}
# Seconds for a transaction, in case the database hangs.
_TIMEOUT = 20.0
_MIGRATIONS = Path(__file__).with_name("migrations")
# Any number that no other program uses in the same database.
_MIGRATION_LOCK = 7_264_431


class Database:
    """Transactions and single statements, each in a thread.

    transactions: the engine for several statements, if that is another one.
    """

    def __init__(
        self,
        engine: Engine,
        threads: int,
        lock: "FolderLock | None" = None,
        transactions: Engine | None = None,
    ) -> None:
        self._engine = engine
        self._transactions = transactions or engine
        self._threads = Workers(threads, "jobs")
        self._lock = lock

    @classmethod
    def in_postgresql(cls, url: str) -> "Database":
        """Return the database at a URL; it is not contacted yet."""
        address = make_url(url).set(drivername="postgresql+psycopg")
        engine = create_engine(
            address,
            pool_size=_CONNECTIONS,
            max_overflow=0,
            pool_pre_ping=True,
            # BEGIN and COMMIT would be two more round trips for each statement.
            isolation_level="AUTOCOMMIT",
            hide_parameters=True,
            connect_args=_POSTGRESQL_ARGUMENTS,
        )
        transactions = engine.execution_options(isolation_level="READ COMMITTED")
        return cls(engine, _CONNECTIONS, transactions=transactions)

    @classmethod
    def in_folder(cls, folder: Path) -> "Database":
        """Return the database in a folder, which no other process may use; raises JobsUnavailable."""
        lock = FolderLock(folder)
        engine = create_engine(
            f"sqlite:///{folder / 'jobs.sqlite'}",
            poolclass=StaticPool,
            hide_parameters=True,
            connect_args={"check_same_thread": False},
        )
        event.listen(engine, "connect", _configure_sqlite)
        return cls(engine, 1, lock)

    async def migrate(self) -> None:
        """Bring the tables up to date; several processes may do so at once."""
        await self.run(_migrate)

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Run a transaction.

        Raises JobsUnavailable, JobsFull if the disk is full, or IntegrityError for a broken constraint.
        """
        return await self._run(self._transactions, work)

    async def run_one(self, work: Callable[[Connection], T]) -> T:
        """Run work of one statement, which needs no transaction; see `run`."""
        return await self._run(self._engine, work)

    async def close(self) -> None:
        """Accept no more transactions, and close the connections when those that run have ended."""
        self._threads.close()
        # A transaction outlives a caller that is cancelled, and SQLite crashes if it is closed meanwhile.
        await self._threads.wait()
        await asyncio.to_thread(self._engine.dispose)
        if self._lock is not None:
            self._lock.release()

    async def _run(self, engine: Engine, work: Callable[[Connection], T]) -> T:
        try:
            async with asyncio.timeout(_TIMEOUT):
                return await self._threads.run(_connected, engine, work)
        except TimeoutError:
            raise JobsUnavailable("The database of the jobs does not answer.") from None


class FolderLock:
    """Keeps other processes from the folder; the system releases it if this process ends in any way."""

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise JobsUnavailable(
                f"The folder of the jobs cannot be used: {os.strerror(error.errno or 0)}."
            ) from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise JobsUnavailable(
                "Another process uses the folder of the jobs. Replicas share jobs in PostgreSQL: set "
                "OCR_JOBS_URL."
            ) from None

    def release(self) -> None:
        """Let another process use the folder."""
        os.close(self._file)


def _connected(engine: Engine, work: Callable[[Connection], T]) -> T:
    try:
        with engine.begin() as connection:
            return work(connection)
    except IntegrityError:
        raise
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        is_full = _FULL & {getattr(cause, name, None) for name in ("sqlite_errorname", "sqlstate")}
        # The message of the driver can contain the address of the database, and values of a statement.
        reason = type(cause).__name__
    if is_full:
        raise JobsFull("The disk of the jobs' database is full.")
    raise JobsUnavailable(f"The database of the jobs fails ({reason}).")


def _configure_sqlite(connection: Any, _: object) -> None:
    # A power cut loses no job that was accepted.
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "busy_timeout = 5000"):
        connection.execute(f"PRAGMA {pragma}")


def _migrate(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    if connection.dialect.name == "postgresql":
        # `CREATE TABLE` fails if two processes run it at once.
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _MIGRATION_LOCK})
    if _is_newer(connection, config):
        return
    command.upgrade(config, "head")


def _is_newer(connection: Connection, config: Config) -> bool:
    """Whether a newer version of the service has migrated the tables; migrations only add."""
    current = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    return current is not None and current not in known
