"""Worker processes: their limits, their end, and the two lanes."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import pytest

from ocr_service.core.documents import TextSource
from ocr_service.core.errors import BrokenDocument
from ocr_service.core.turns import Caller
from ocr_service.decoding.document import DECODERS
from ocr_service.runtime.processes.commands import KILL, LOWER_PRIORITY, NICENESS
from ocr_service.runtime.processes.fork_server import ForkServer
from ocr_service.runtime.processes.fork_server_process import obey
from ocr_service.runtime.processes.frames import InvalidReply
from ocr_service.runtime.processes.jobs import Job, Outcome, Subject, UnexpectedError
from ocr_service.runtime.processes.pool import NoSlot, Pool
from ocr_service.runtime.processes.single_lane import SingleLane
from ocr_service.runtime.processes.worker_process import (
    KilledBySystem,
    NotStarted,
    WorkerEnded,
    WorkerProcess,
)
from tests.running import ROOT

pytestmark = pytest.mark.anyio

TRICKS = "tests.stand_ins.worker_tricks"
CORE = ("ocr_service.core.",)
LONG = 60.0


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    server = ForkServer(TRICKS)
    yield server
    server.stop()


@pytest.fixture
async def pool(server: ForkServer) -> AsyncIterator[Pool]:
    """One place in each lane."""
    pool = Pool(server, quick=1, slow=1, classes_from=CORE)
    yield pool
    pool.close_idle()


class CountedSlot:
    """A slot that records what happens to it."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.is_back = asyncio.Event()

    def give_back(self) -> None:
        if not self.events:
            self.events.append("given back")
            self.is_back.set()

    async def take_again(self) -> None:
        if self.events:
            self.events.append("taken again")


async def ask(pool: Pool, request: str, seconds: float = LONG, subject: Subject | None = None) -> object:
    return (await pool.run(Job(subject or Subject(b"document"), request, seconds), NoSlot())).reply


def is_alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


async def until_gone(pid: int) -> None:
    """The kernel ends a killed process a moment later."""
    async with asyncio.timeout(120):
        while is_alive(pid):
            await asyncio.sleep(0.01)


async def test_process_keeps_its_document_for_the_next_job(pool: Pool) -> None:
    subject, other = Subject(b"12345"), Subject(b"123456789")
    assert [await ask(pool, "document_size", subject=each) for each in (subject, other, subject)] == [5, 9, 5]
    first = await ask(pool, "pid", subject=subject)
    assert await ask(pool, "pid", subject=subject) == first
    pool.forget(subject)
    assert await ask(pool, "document_size", subject=subject) == 5


async def test_workers_leave_the_cores_to_the_service(pool: Pool) -> None:
    pid = await ask(pool, "pid")
    assert isinstance(pid, int)
    ours, lowest = os.getpriority(os.PRIO_PROCESS, 0), 19
    assert os.getpriority(os.PRIO_PROCESS, pid) == min(ours + NICENESS, lowest)


async def test_decoders_leave_the_cores_to_the_page_that_is_read() -> None:
    worker = await WorkerProcess.start(DECODERS._server, CORE)
    ours, lowest = os.getpriority(os.PRIO_PROCESS, 0), 19
    assert os.getpriority(os.PRIO_PROCESS, worker.pid) == min(ours + 2 * NICENESS, lowest)
    worker.close()


@pytest.mark.parametrize(
    ("request_", "seconds", "cause"),
    [
        ("crash", LONG, "SIGABRT"),
        ("spin", 0.2, "it reached its limit of CPU time"),
        ("take_memory", LONG, "it reached its limit of memory"),
    ],
)
async def test_end_of_a_process_fails_its_job_alone(
    pool: Pool, caplog: pytest.LogCaptureFixture, request_: str, seconds: float, cause: str
) -> None:
    with pytest.raises(WorkerEnded):
        await ask(pool, request_, seconds)
    assert cause in caplog.text
    assert await ask(pool, "document_size") == 8


async def test_kill_by_the_system_is_told_from_a_crash(pool: Pool, caplog: pytest.LogCaptureFixture) -> None:
    slot, pid = CountedSlot(), await ask(pool, "pid")
    assert isinstance(pid, int)
    job = asyncio.create_task(pool.run(Job(Subject(b""), "spin", LONG), slot))
    async with asyncio.timeout(120):
        await slot.is_back.wait()
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(KilledBySystem):
        await job
    assert "SIGKILL, which is not from the service" in caplog.text


async def test_process_with_too_much_memory_is_killed(server: ForkServer) -> None:
    """Another process, with less memory, does the next job."""
    lane = SingleLane(server, places=1, classes_from=CORE)
    async with asyncio.timeout(LONG):
        with pytest.raises(WorkerEnded):
            await lane.run(Job(Subject(b""), "hold_memory", LONG), most_memory=200 * 2**20)
        outcome = await lane.run(Job(Subject(b"12345"), "document_size", LONG), most_memory=200 * 2**20)
    assert outcome.reply == 5
    lane.close_idle()


async def test_page_of_a_caller_without_another_slows_the_others_down(server: ForkServer) -> None:
    lane = SingleLane(server, places=1, classes_from=CORE)

    def run(caller: str, request: str) -> "asyncio.Task[Outcome]":
        job = Job(Subject(b"", Caller(caller)), request, LONG)
        return asyncio.create_task(lane.run(job, most_memory=2**30))

    busy = (await run("a", "pid")).reply
    spinning = run("a", "spin")
    async with asyncio.timeout(LONG):
        other = (await run("b", "pid")).reply
    assert other != busy
    # When the next process runs, earlier commands are obeyed.
    (await WorkerProcess.start(server, CORE)).close()
    ours, lowest = os.getpriority(os.PRIO_PROCESS, 0), 19
    assert os.getpriority(os.PRIO_PROCESS, busy) == min(ours + 2 * NICENESS, lowest)
    spinning.cancel()
    await asyncio.gather(spinning, return_exceptions=True)
    lane.close_idle()


async def test_time_limit_applies_in_the_slow_lane(pool: Pool) -> None:
    with pytest.raises(WorkerEnded):
        await ask(pool, "spin", 0.8)
    assert pool.slow.taken == pool.quick.taken == 0


async def test_error_of_the_document_keeps_the_process(pool: Pool) -> None:
    before = await ask(pool, "pid")
    with pytest.raises(BrokenDocument, match="It is damaged"):
        await ask(pool, "refuse")
    assert await ask(pool, "pid") == before


async def test_unexpected_error_is_logged_without_its_text(
    pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(UnexpectedError):
        await ask(pool, "fail")
    assert "ZeroDivisionError in a worker process" in caplog.text
    [line] = [record for record in caplog.records if "ZeroDivisionError" in record.getMessage()]
    assert str(b"document") not in str(vars(line))


async def test_reply_cannot_call_anything_in_the_service(
    pool: Pool, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InvalidReply):
        await ask(pool, "call_print")
    assert capfd.readouterr().out == ""


async def test_reply_can_have_members_of_enumerations(
    pool: Pool,
) -> None:
    assert await ask(pool, "member_of_an_enumeration") is TextSource.TEXT_LAYER


async def test_process_of_a_cancelled_job_is_killed(pool: Pool) -> None:
    pid = int(str(await ask(pool, "pid")))
    job = asyncio.create_task(ask(pool, "spin"))
    while not pool.quick.taken:
        await asyncio.sleep(0)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    await until_gone(pid)
    assert await ask(pool, "pid") != pid


async def test_job_that_takes_long_leaves_the_quick_lane(pool: Pool) -> None:
    """One such job goes on in the slow lane, and the next one waits; both have given back their slots."""
    slots = [CountedSlot(), CountedSlot()]
    jobs = [asyncio.create_task(pool.run(Job(Subject(b""), "spin", LONG), slot)) for slot in slots]
    for slot in slots:
        async with asyncio.timeout(120):
            await slot.is_back.wait()
    assert await ask(pool, "document_size") == 8
    assert pool.slow.taken == 1
    for job in jobs:
        job.cancel()
    await asyncio.gather(*jobs, return_exceptions=True)
    assert pool.slow.taken == pool.quick.taken == 0


async def test_slot_is_taken_again_before_the_pixels_are_used(pool: Pool) -> None:
    slot, subject = CountedSlot(), Subject(b"")
    outcome = await pool.run(Job(subject, "spin_a_little", LONG), slot)
    assert (outcome.reply, slot.events) == ("done", ["given back", "taken again"])
    assert subject.takes_long
    assert await ask(pool, "document_size", subject=subject) == 0
    assert not subject.takes_long, "the next job was quick"


async def test_memory_is_used_again_once_nothing_is_laid_over_it(pool: Pool) -> None:
    subject = Subject(b"")
    job = Job(subject, "paint", LONG, memory=1000)
    first, second = await pool.run(job, NoSlot()), await pool.run(job, NoSlot())
    assert first.memory and second.memory and first.reply == second.reply
    assert bytes(first.memory[:4]) == bytes(second.memory[:4]) == b"ink!"
    process = pool.idle[0]
    assert len(process.memories.numbers) == 2
    del first
    await pool.run(job, NoSlot())
    assert len(process.memories.numbers) == 2


async def test_pages_that_stay_in_use_do_not_exhaust_the_open_files_of_a_worker(pool: Pool) -> None:
    job = Job(Subject(b""), "paint", LONG, memory=1000)
    in_use = [await pool.run(job, NoSlot()) for _ in range(70)]
    assert len({outcome.reply for outcome in in_use}) == 1, "the worker was replaced"
    assert all(outcome.memory and bytes(outcome.memory[:4]) == b"ink!" for outcome in in_use)


@pytest.mark.parametrize(
    "action", ["connect", "run_a_program", "fork", "write_a_file", "open_many_files", "read_a_secret"]
)
async def test_worker_cannot(pool: Pool, action: str) -> None:
    assert await ask(pool, action) in ("PermissionError", "OSError")


async def test_worker_does_not_have_the_passwords_of_the_service(
    server: ForkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCR_API_KEYS", "secret")
    own = ForkServer(TRICKS)
    pool = Pool(own, quick=1, slow=1, classes_from=CORE)
    try:
        assert "OCR_API_KEYS" not in str(await ask(pool, "environment"))
    finally:
        pool.stop()


async def test_fork_server_is_started_again(pool: Pool, server: ForkServer) -> None:
    before = await ask(pool, "pid")
    server.stop()
    assert await ask(pool, "pid") != before


@pytest.mark.parametrize("command", [KILL, LOWER_PRIORITY])
def test_command_about_a_worker_that_has_just_ended_does_no_harm(command: bytes) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    obey(command, ended.pid)


async def test_fork_server_that_cannot_start_is_no_fault_of_the_document(
    capfd: pytest.CaptureFixture[str],
) -> None:
    pool = Pool(ForkServer("tests.no_such_module"), quick=1, slow=1, classes_from=CORE)
    with pytest.raises(NotStarted):
        await ask(pool, "pid")
    assert "no_such_module" in capfd.readouterr().err


# Prints the process numbers of the fork server and of a worker that computes for ever.
PROGRAM = f"""
import asyncio
from ocr_service.runtime.processes.fork_server import ForkServer
from ocr_service.runtime.processes.jobs import Job, Subject
from ocr_service.runtime.processes.pool import NoSlot, Pool

async def main():
    server = ForkServer({TRICKS!r})
    pool = Pool(server, 1, 1, ())
    pid = (await pool.run(Job(Subject(b""), "pid", 60), NoSlot())).reply
    job = asyncio.create_task(pool.run(Job(Subject(b""), "spin", 60), NoSlot()))
    while not pool.quick.taken:
        await asyncio.sleep(0)
    await asyncio.sleep(0.1)
    print(server.pid, pid, flush=True)
    await job

asyncio.run(main())
"""


async def test_processes_die_with_the_service() -> None:
    with subprocess.Popen(  # noqa: ASYNC220 - it starts at once
        [sys.executable, "-c", PROGRAM], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout
        pids = [int(pid) for pid in program.stdout.readline().split()]
        assert len(pids) == 2 and all(map(is_alive, pids))
        program.send_signal(signal.SIGKILL)
    for pid in pids:
        await until_gone(pid)
