"""The store or the service is killed during uploads: no result is lost, truncated or stored twice."""

import asyncio
import json
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.running import NO_CERTIFICATES, RunningProgram
from tests.s3.stores import Server, Store, Swift, wait_until
from tests.samples import small_png

pytestmark = pytest.mark.anyio

CALLERS = 16


def service(store: Store, output: Path, store_timeout: int = 2) -> RunningProgram:
    command = [sys.executable, "-m", "uvicorn", "tests.fakes.scripted_service:app", "--port", "0"]
    settings = {
        "OCR_OUTPUT_DIR": str(output),
        "OCR_STORE_TIMEOUT": str(store_timeout),
        "OCR_CACHE_LIFETIME": "0",
        "CLOUDRU_S3_PREFIX": output.name,
    }
    return RunningProgram(command, **store.settings, **settings)


async def ask(url: str, count: int, after: Callable[[int], None] = lambda _: None) -> list[dict[str, Any]]:
    """Send `count` documents, several at a time; `after` is called with the number of answers so far."""
    answers: list[dict[str, Any]] = []
    numbers = iter(range(count))

    async def call() -> None:
        async with httpx.AsyncClient(base_url=url, timeout=120, verify=NO_CERTIFICATES) as client:
            for _ in numbers:
                # All requests have the same id: if ids were the keys, results would overwrite each other.
                answer = await client.post(
                    "/ocr",
                    files={"file": ("Скан.png", small_png())},
                    data={"store_source": "true"},
                    headers={"X-Request-ID": "the:same"},
                )
                answers.append(answer.raise_for_status().json())
                await asyncio.to_thread(after, len(answers))

    await asyncio.gather(*(call() for _ in range(CALLERS)))
    return answers


def spooled(url: str) -> int:
    health = httpx.get(f"{url}/health", timeout=120, verify=NO_CERTIFICATES).json()
    documents: int = health["storage"]["spool"]["documents"]
    return documents


def assert_all_stored(store: Store, prefix: str, answers: list[dict[str, Any]]) -> None:
    objects = store.objects(f"{prefix}/")
    expected = [file["key"] for answer in answers for file in answer["storage"]["files"]]
    assert Counter(expected) == Counter(objects.keys())
    for answer in answers:
        storage = answer.pop("storage")
        assert json.loads(objects[f"{storage['folder']}result.json"]) == answer
        assert objects[f"{storage['folder']}result.md"].decode() == answer["markdown"]
        assert objects[f"{storage['folder']}source/Скан.png"] == small_png()


async def test_store_restarted_under_load_has_every_result(swift: Swift, tmp_path: Path) -> None:
    # On a busy machine, a store that is there must not pass for one that is away.
    with swift.front() as (store, server), service(store, tmp_path, store_timeout=120) as running:

        def disturb(answered: int) -> None:
            if answered == 20:
                server.kill()
            elif answered == 64:
                server.start()

        answers = await ask(running.url, 84, disturb)
        assert len(answers) == 84
        statuses = Counter(answer["storage"]["status"] for answer in answers)
        assert set(statuses) == {"stored", "pending"} and min(statuses.values()) >= 10
        wait_until(lambda: spooled(running.url) == 0, "the spool is empty")
        assert_all_stored(store, tmp_path.name, answers)
    log = "".join(running.log)
    assert log.count("storage unavailable: ") == log.count("the storage works again") == 1
    assert "Traceback" not in log
    assert not list((tmp_path / "spool").glob("*-*")), "the spool still has files"


async def test_spooled_results_survive_a_killed_service(swift: Swift, tmp_path: Path) -> None:
    with swift.front() as (store, server):
        with service(store, tmp_path) as running:
            server.kill()
            answers = await ask(running.url, 32)
            assert {answer["storage"]["status"] for answer in answers} == {"pending"}
            assert {file["url"] for answer in answers for file in answer["storage"]["files"]} == {None}
            wait_until(lambda: spooled(running.url) == 32, "every document is in the spool")
            running.kill()
        restart(server, store)
        with service(store, tmp_path) as running:
            # Killed during uploads again: a document that it has claimed waits until the lease expires.
            running.wait_for("a spooled document is stored")
            running.kill()
        with service(store, tmp_path) as running:
            wait_until(lambda: spooled(running.url) == 0, "the spool is empty")
        assert_all_stored(store, tmp_path.name, answers)


async def test_unresponsive_store_does_not_delay_requests(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=200) as mute:
        store = Store(f"http://127.0.0.1:{mute.getsockname()[1]}")
        with service(store, tmp_path) as running:
            answers = await ask(running.url, 100)
            assert {answer["storage"]["status"] for answer in answers} == {"pending"}
            began = time.monotonic()
        assert running.exit_code == -signal.SIGTERM
        assert time.monotonic() - began < 60, "shutdown waited for the storage"
        assert connections(mute) < 60, "later requests waited for the storage"
    assert len(list((tmp_path / "spool").glob("waiting-*"))) == 100, "a pending upload is missing"


def connections(server: socket.socket) -> int:
    """Return how many connections were made to a server that accepts none."""
    server.setblocking(False)
    count = 0
    with suppress(BlockingIOError):
        while True:
            server.accept()[0].close()
            count += 1
    return count


def restart(server: Server, store: Store) -> None:
    server.start()
    store.wait_until_ready()
