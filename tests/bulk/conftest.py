from collections.abc import Iterator

import pytest

from tests.jobs.replicas import Replica


@pytest.fixture(scope="session")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    """A service that counts the pages that its engine reads."""
    with Replica(tmp_path_factory.mktemp("service")) as running:
        yield running
