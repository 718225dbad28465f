"""Memory goes back to the system once pages have been read."""

import asyncio
from pathlib import Path

import pytest

from ocr_service.runtime.memory import trim_when_idle

MIB = 2**20


class Work:
    pages_done = 0
    pages_taken = 0


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.anyio
async def test_what_lies_between_used_pieces_goes_back() -> None:
    # Below the size from which glibc maps each piece by itself; the last one keeps the heap from shrinking.
    pieces = [bytearray(100_000) for _ in range(2000)]
    full = resident()
    del pieces[:-1]
    assert resident() > full - 50 * MIB
    work = Work()
    tidying = asyncio.create_task(trim_when_idle(work, pause=0.001))
    await asyncio.sleep(0)
    work.pages_done = 1
    while resident() > full - 150 * MIB:
        await asyncio.sleep(0.001)
    tidying.cancel()
