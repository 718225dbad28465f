"""The table of jobs, and the clock of the database, for SQLite and PostgreSQL."""

from typing import Any

from sqlalchemy import BigInteger, Column, Double, Integer, MetaData, String, Table, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

metadata = MetaData()

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("face", String(32), nullable=False),
    Column("asked", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("pages", Text, nullable=False),
    Column("total", Integer, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("batch", Text),
    Column("idempotency_key", Text),
    Column("state", String(16), nullable=False),
    Column("created", Double, nullable=False),
    Column("started", Double),
    Column("ended", Double),
    Column("expires", Double),
    Column("due", Double, nullable=False),
    Column("done", Text, nullable=False),
    Column("failed", Text, nullable=False),
    Column("done_count", Integer, nullable=False),
    Column("final", Integer, nullable=False),
    Column("token", String(32)),
    Column("lease", Double),
    Column("attempts", Integer, nullable=False),
    Column("engine", Text),
    Column("error", Text),
    Column("stored", Text),
    Column("callback_url", Text),
    Column("callback_due", Double),
    Column("callback_tries", Integer, nullable=False),
)

# One row: the key of signed addresses.
link_key = Table("link_key", metadata, Column("value", String(64), nullable=False))


class now(FunctionElement[float]):  # noqa: N801 - named like the functions of SQL
    """The clock of the database, in seconds since 1970: the replicas' own clocks may differ."""

    type = Double()
    inherit_cache = True


@compiles(now, "postgresql")
def _now_in_postgresql(*_: Any, **__: Any) -> str:
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)"


@compiles(now, "sqlite")
def _now_in_sqlite(*_: Any, **__: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"
