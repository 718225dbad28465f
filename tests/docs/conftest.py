from collections.abc import Iterator

import httpx
import pytest

from tests.running import RunningService


@pytest.fixture(scope="session")
def running() -> Iterator[RunningService]:
    with RunningService() as service:
        yield service


@pytest.fixture(scope="session")
def service(running: RunningService) -> httpx.Client:
    return running.client
