from collections.abc import Iterator

import pytest

from tests.postgresql import RunningPostgresql


@pytest.fixture(scope="session")
def postgresql() -> Iterator[RunningPostgresql]:
    with RunningPostgresql() as server:
        yield server
