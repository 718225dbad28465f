"""Distribution of the tests among processes; each process builds its own session fixtures."""

import asyncio
import gc
import importlib
import os
import re
import signal
from collections.abc import AsyncIterator, Generator
from contextlib import suppress
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

_VL = "tests/paddleocr_vl/test_"
# Tests that share servers or models with a slow start. Each group runs in one process.
_GROUPS = {
    "clients": r"tests/clients/",
    "object stores": r"tests/s3/",
    "service beside PaddleX": _VL + r"(file_kinds|layout_parsing|.*pdf.*|restructure_pages)\.py",
    "PaddleOCR-VL": _VL + r"(contract|field_names|engine|faults|incomplete_texts|parity)\.py",
    "service with Tesseract": r"tests/integration/test_(?!image_url|memory_bound)",
    "documented commands": r"tests/docs/test_(examples|nginx|tables)\.py",
    "browser": r"tests/ui/",
    "every path with keys": r"tests/http/test_schemathesis\.py::test_protected",
    "every path without keys": r"tests/http/test_schemathesis\.py::test_open",
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def ends_its_tasks(request: pytest.FixtureRequest) -> None:
    if "anyio_backend" in request.fixturenames:
        request.getfixturevalue("no_task_left")


@pytest.fixture
async def no_task_left() -> AsyncIterator[None]:
    """Fail a test that leaves a task, which would end, or be collected as garbage, in a later test."""
    before = asyncio.all_tasks()
    yield
    # The task of this fixture itself belongs to anyio. Tasks that end by themselves are given the time.
    left = {task for task in asyncio.all_tasks() - before if "TestRunner" not in repr(task.get_coro())}
    if left:
        _, left = await asyncio.wait(left, timeout=120)
    assert not left


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


@pytest.hookimpl(wrapper=True, specname="pytest_collection")
def pytest_collect_without_looking_for_garbage() -> Generator[None, object, object]:
    """The modules and the collected tests stay: to look for garbage among them takes 0.3 s each time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection(session: pytest.Session) -> None:
    """Before a whole run, import the test modules, in each worker in another order.

    In a new checkout, modules that one worker has compiled are ready for the others.
    """
    worker = getattr(session.config, "workerinput", None)
    if worker is None or session.config.args != session.config.getini("testpaths"):
        return
    here = Path(__file__).parent
    modules = sorted(path.relative_to(here.parent).with_suffix("") for path in here.rglob("test_*.py"))
    first = len(modules) * int(worker["workerid"].removeprefix("gw")) // worker["workercount"]
    for module in modules[first:] + modules[:first]:
        # The collection imports it again, and reports the error.
        with suppress(Exception):
            importlib.import_module(".".join(module.parts))


def pytest_configure() -> None:
    """Make the tests independent of the shell that started them."""
    for name in [name for name in os.environ if name.startswith(("OCR_", "UVICORN_", "CLOUDRU_"))]:
        del os.environ[name]
    # A shell lets its background jobs ignore SIGINT, and the started programs inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> GroupScheduling:
    return GroupScheduling(config, log)


def pytest_xdist_auto_num_workers() -> int:
    """Return two workers more than there are cores, as many tests wait for other processes."""
    return (os.cpu_count() or 1) + 2
