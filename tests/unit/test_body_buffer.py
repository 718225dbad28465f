"""A body that is arriving: in memory at first, then on disk, within the limits of both."""

import asyncio
import os
import random
import resource
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ocr_service.admission.admission import Admission, Bounds, Visit
from ocr_service.api.requests.body_buffer import BodyBuffer, Memory
from ocr_service.api.requests.body_stream import _in_time
from ocr_service.api.requests.settings import UploadSettings
from ocr_service.api.requests.upload_disk import _THREADS, UploadDisk
from ocr_service.core.errors import InsufficientStorage, Overloaded, UploadTooSlow
from ocr_service.core.turns import Caller

pytestmark = pytest.mark.anyio

KIB, MIB = 2**10, 2**20


@contextmanager
def visiting(document_bytes: int = 8 * MIB) -> Iterator[tuple[Admission, Visit]]:
    admission = Admission(Bounds(1, 1, document_bytes, 9, 60))
    with admission.visit() as visit:
        yield admission, visit


@pytest.mark.parametrize("size", [0, 1, 128 * KIB, 128 * KIB + 1, 3 * MIB + 5])
async def test_every_part_of_a_body_is_returned(size: int, tmp_path: Path) -> None:
    data = random.Random(size).randbytes(size)
    disk = UploadDisk(tmp_path, 4 * MIB)
    with visiting() as (admission, visit), BodyBuffer(visit.memory, disk) as buffer:
        for start in range(0, size, 60_000):
            await buffer.add(data[start : start + 60_000])
            assert admission.memory.held <= 128 * KIB
        assert disk.used + admission.memory.held == buffer.size == size
        assert os.listdir(tmp_path) == []  # noqa: PTH208 - pathlib is refused in async functions
        assert await buffer.read() == data
        assert await buffer.read(size // 3, size // 2) == data[size // 3 :][: size // 2]
        assert admission.memory.held >= size
    assert (disk.used, admission.memory.held) == (0, 0)


async def test_body_is_refused_when_the_memory_is_full(tmp_path: Path) -> None:
    disk = UploadDisk(tmp_path, 4 * MIB)
    with (
        visiting(MIB) as (admission, visit),
        admission.visit() as other,
        BodyBuffer(visit.memory, disk) as buffer,
    ):
        other.memory.hold(MIB // 2)
        for _ in range(12):
            await buffer.add(bytes(64 * KIB))
        with pytest.raises(Overloaded):
            await buffer.read()


async def test_full_disk_is_reported_and_frees_everything(tmp_path: Path) -> None:
    disk = UploadDisk(tmp_path, 4 * MIB)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with visiting() as (admission, visit):
        with pytest.raises(InsufficientStorage), BodyBuffer(visit.memory, disk) as buffer:
            await buffer.add(bytes(200 * KIB))
            resource.setrlimit(resource.RLIMIT_FSIZE, (300 * KIB, hard))
            try:
                await buffer.add(bytes(200 * KIB))
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert (disk.used, admission.memory.held) == (0, 0)


async def test_missing_folder_is_reported(tmp_path: Path) -> None:
    disk = UploadDisk(tmp_path / "none", MIB)
    with (
        pytest.raises(InsufficientStorage) as caught,
        visiting() as (_, visit),
        BodyBuffer(visit.memory, disk) as buffer,
    ):
        await buffer.add(bytes(200 * KIB))
    assert "none" not in caught.value.detail


async def test_slowest_sender_makes_room(tmp_path: Path) -> None:
    now = 0.0
    disk = UploadDisk(tmp_path, MIB)
    with (
        visiting() as (_, visit),
        BodyBuffer(visit.memory, disk, clock=lambda: now) as early,
        BodyBuffer(visit.memory, disk, clock=lambda: now) as fast,
    ):
        await early.add(bytes(600 * KIB))
        now = 30.0
        await early.add(b"a")
        await fast.add(bytes(300 * KIB))
        await fast.add(bytes(300 * KIB))
        assert disk.used == 600 * KIB
        assert await fast.read() == bytes(600 * KIB)
        with pytest.raises(UploadTooSlow, match="slowest"):
            await early.add(bytes(200 * KIB))


async def test_callers_take_turns_at_the_disk(tmp_path: Path) -> None:
    disk, order = UploadDisk(tmp_path, 4 * MIB), list[str]()
    may_go_on = threading.Event()

    async def send(memory: Memory, name: str) -> None:
        with BodyBuffer(memory, disk, Caller(name)) as buffer:
            await buffer.add(bytes(200 * KIB))
            order.append(name)

    with visiting() as (_, visit):
        busy = asyncio.create_task(disk.run(may_go_on.wait))
        await asyncio.sleep(0)
        sending = [asyncio.create_task(send(visit.memory, name)) for name in ("anna", "anna", "bert")]
        await asyncio.sleep(0)
        may_go_on.set()
        await asyncio.gather(busy, *sending)
    assert order[-1] == "anna", "the other caller need not wait for both"


async def test_upload_that_is_given_up_before_it_is_read_is_refused(tmp_path: Path) -> None:
    disk = UploadDisk(tmp_path, MIB)
    with visiting() as (_, visit), BodyBuffer(visit.memory, disk) as sender:
        file = await disk.open(sender)
        await file.write(bytearray(300 * KIB))
        may_go_on = threading.Event()
        busy = [asyncio.create_task(disk.run(may_go_on.wait)) for _ in range(_THREADS)]
        await asyncio.sleep(0)
        reading = asyncio.create_task(file.read(0, 300 * KIB))
        await asyncio.sleep(0)
        file.give_up()
        may_go_on.set()
        with pytest.raises(UploadTooSlow, match="slowest"):
            await reading
        await asyncio.gather(*busy)
        file.close()


async def test_upload_that_is_given_up_before_it_is_written_leaves_nothing(tmp_path: Path) -> None:
    disk = UploadDisk(tmp_path, MIB)
    with visiting() as (_, visit), BodyBuffer(visit.memory, disk) as sender:
        file = await disk.open(sender)
        may_go_on = threading.Event()
        busy = [asyncio.create_task(disk.run(may_go_on.wait)) for _ in range(_THREADS)]
        await asyncio.sleep(0)
        writing = asyncio.create_task(file.write(bytearray(300 * KIB)))
        await asyncio.sleep(0)
        file.give_up()
        assert disk.used == 0
        may_go_on.set()
        with pytest.raises(UploadTooSlow, match="slowest"):
            await writing
        await asyncio.gather(*busy)
        assert os.fstat(file._file.fileno()).st_size == 0
        file.close()


@pytest.mark.parametrize("ends", [False, True])
async def test_file_is_closed_behind_the_work_of_the_thread(tmp_path: Path, ends: bool) -> None:
    """ends: the disk accepts no more work, before the thread reaches the file."""
    disk = UploadDisk(tmp_path, MIB)
    begun, may_go_on = threading.Event(), threading.Event()

    def block() -> None:
        begun.set()
        may_go_on.wait(timeout=30)

    with visiting() as (_, visit), BodyBuffer(visit.memory, disk) as sender:
        file = await disk.open(sender)
        await file.write(bytearray(300 * KIB))
        busy = asyncio.create_task(disk.run(block))
        await asyncio.to_thread(begun.wait)
        file.close()
        assert (disk.used, file._file.closed) == (0, False), "the place is free at once"
        if ends:
            disk.close()
            assert file._file.closed
        may_go_on.set()
        await busy
        if not ends:
            await disk.run(lambda: None)
        assert file._file.closed


async def test_file_is_closed_after_the_disk(tmp_path: Path) -> None:
    disk = UploadDisk(tmp_path, MIB)
    with visiting() as (_, visit), BodyBuffer(visit.memory, disk) as sender:
        file = await disk.open(sender)
        disk.close()
        file.close()
        assert file._file.closed


async def trickle(start: int, pause: float) -> AsyncGenerator[bytes]:
    yield bytes(start)
    for _ in range(100):
        await asyncio.sleep(pause)
        yield b"a"


async def received(limits: UploadSettings, chunks: AsyncGenerator[bytes]) -> int:
    count = 0
    with pytest.raises(UploadTooSlow):
        async for _ in _in_time(chunks, limits):
            count += 1
    return count


async def test_fast_start_earns_no_slow_rest() -> None:
    """At the minimum rate, the first bytes would have taken a quarter of an hour."""
    limits = UploadSettings(idle_timeout=1, min_rate=1000)
    assert await received(limits, trickle(MIB, 0.02)) >= 1


async def test_whole_body_has_a_time_limit() -> None:
    limits = UploadSettings(idle_timeout=10, min_rate=1, timeout=1)
    assert await received(limits, trickle(MIB, 0.02)) >= 1


async def test_our_own_work_does_not_count() -> None:
    now, count = 0.0, 0

    def clock() -> float:
        return now

    async def chunks() -> AsyncGenerator[bytes]:
        for _ in range(5):
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            yield b"a"

    async for _ in _in_time(chunks(), UploadSettings(idle_timeout=10, min_rate=1, timeout=10), clock):
        now += 1000
        count += 1
    assert count == 5
