"""How the tests are shared out among processes, each of which has session fixtures of its own."""

import os
from pathlib import Path

import pytest

# Fixtures that take seconds to build: the tests that use one run in the same process.
_SHARED_FIXTURES = ("both", "models", "running")
# Folders whose tests choose such a fixture when they run.
_SHARED_FOLDERS = ("clients", "s3")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores, as many tests wait for other processes."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group the tests, unless a test has a group of its own."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(_group(item)))


def _group(item: pytest.Item) -> str:
    used = getattr(item, "fixturenames", ())
    for fixture in _SHARED_FIXTURES:
        if fixture in used:
            return fixture
    folder, *rest = item.path.relative_to(Path(__file__).parent).parts
    return folder if folder in _SHARED_FOLDERS else "/".join([folder, *rest])
