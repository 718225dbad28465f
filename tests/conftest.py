"""Distribution of the tests among processes; each process builds its own session fixtures."""

import os
import re
import signal

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

_VL = "tests/paddleocr_vl/test_"
# Tests that share servers or models with a slow start. Each group runs in one process.
_GROUPS = {
    "clients": r"tests/clients/",
    "object stores": r"tests/s3/",
    "service beside PaddleX": _VL + r"(file_kinds|layout_parsing|pdf_fonts|restructure_pages)\.py",
    "PaddleOCR-VL": _VL + r"(contract|field_names|engine|faults|incomplete_texts|parity)\.py",
    "browser": r"tests/ui/",
    "every path": r"tests/http/test_schemathesis\.py::test_every",
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class GroupScheduling(LoadScopeScheduling):  # type: ignore[misc] # xdist has no types
    """Assigns each group, or otherwise each file, to one process.

    The mark `xdist_group` of pytest-xdist 3.8 has no effect with pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid) or nodeid.partition("::")[0]


def _group(nodeid: str) -> str | None:
    return next((name for name, pattern in _GROUPS.items() if re.match(pattern, nodeid)), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the groups first: they take minutes, and the files fill the gaps."""
    items.sort(key=lambda item: _group(item.nodeid) is None)


def pytest_configure() -> None:
    """Receive SIGINT: a shell lets its background jobs ignore it, and the started programs inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> GroupScheduling:
    return GroupScheduling(config, log)


def pytest_xdist_auto_num_workers() -> int:
    """Return two workers more than there are cores, as many tests wait for other processes."""
    return (os.cpu_count() or 1) + 2
