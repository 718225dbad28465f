import signal
from collections.abc import Iterator

import httpx
import pytest

from tests.running import RunningService


@pytest.fixture(scope="session")
def running() -> Iterator[RunningService]:
    with RunningService() as service:
        yield service
    # uvicorn shuts down cleanly, and then raises the signal again.
    assert service.exit_code == -signal.SIGTERM
    assert "Application shutdown complete" in "".join(service.log)


@pytest.fixture(scope="session")
def service(running: RunningService) -> httpx.Client:
    return running.client
