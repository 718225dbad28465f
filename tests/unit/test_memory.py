"""Freed memory is returned to the system after pages have been read."""

import asyncio
import gc
from pathlib import Path

import pytest

from ocr_service.runtime.memory import SMALL_COLLECTIONS, joined, trim_when_idle

MIB = 2**20


class Work:
    pages_done = 0
    pages_taken = 0


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.parametrize("sizes", [(), (5, 0, 7), (3 * MIB, 1, MIB, 0, MIB + 1)], ids=str)
def test_parts_are_joined(sizes: tuple[int, ...]) -> None:
    parts = [bytes([number + 1]) * size for number, size in enumerate(sizes)]
    assert joined(parts) == b"".join(parts)


def test_collector_looks_at_new_objects_only_until_the_last_block_ends() -> None:
    usual = gc.get_threshold()
    with SMALL_COLLECTIONS:
        with SMALL_COLLECTIONS:
            pass
        young, middle, old = gc.get_threshold()
        assert (young, middle) == usual[:2]
        assert old > 1_000_000
    assert gc.get_threshold() == usual


@pytest.mark.anyio
async def test_free_memory_inside_the_heap_is_returned() -> None:
    # Each piece is below the mmap threshold of glibc; the last one prevents the heap from shrinking.
    pieces = [bytearray(100_000) for _ in range(2000)]
    full = resident()
    del pieces[:-1]
    assert resident() > full - 50 * MIB
    work = Work()
    trimming = asyncio.create_task(trim_when_idle(work, lambda: None, pause=0.001))
    await asyncio.sleep(0)
    work.pages_done = 1
    while resident() > full - 150 * MIB:
        await asyncio.sleep(0.001)
    trimming.cancel()
