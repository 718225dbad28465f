"""A pool of worker processes with two lanes, so that work that takes long does not stop the rest.

Work starts in the quick lane. After some CPU time it goes on in the slow lane, at a low priority; if that
lane is full, it is stopped, waits there, and starts again. So the documents that take all the time that they
may do not delay others, and the number of processes is fixed.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from ocr_service.core.errors import OcrError
from ocr_service.runtime.processes import frames
from ocr_service.runtime.processes.attempt import Attempt
from ocr_service.runtime.processes.calls import Call, Unexpected
from ocr_service.runtime.processes.fork_server import ForkServer
from ocr_service.runtime.processes.lanes import Lane, Place
from ocr_service.runtime.processes.worker_process import NotStarted, WorkerEnded, WorkerProcess
from ocr_service.telemetry import metrics
from ocr_service.telemetry.logs import fields

log = logging.getLogger(__name__)

QUICK_SECONDS = 0.5
"""CPU time in the quick lane. A page of a usual size takes a tenth of this."""

# A larger document is copied in a thread.
_COPIED_AT_ONCE = 2**20


class Slot(Protocol):
    """A place that the caller holds while its job runs; given back to others while the job takes long."""

    def give_back(self) -> None:
        """Let others have it; nothing happens if they have it already."""

    async def take_again(self) -> None:
        """Wait for it, if it was given back."""


class NoSlot:
    """The slot of a job whose caller holds nothing."""

    def give_back(self) -> None:
        """Do nothing."""

    async def take_again(self) -> None:
        """Do nothing."""


@dataclass(slots=True, eq=False)
class Subject:
    """A document, which several jobs are about. takes_long: the last of them did."""

    data: bytes
    takes_long: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """A request about a document; see `Call`. memory: bytes of the pixels that the worker makes."""

    subject: Subject
    request: object
    seconds: float
    memory: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """The reply to a job, and the memory with the pixels if there are any."""

    reply: Any
    memory: memoryview | None = None


class UnexpectedError(Exception):
    """An error in the code of a worker, which the log has."""


class Pool:
    """Runs jobs in the processes of a fork server.

    quick, slow: number of places in each lane. idle: processes that wait for a job.
    classes_from: see `frames.reply_in`.
    """

    def __init__(self, server: ForkServer, quick: int, slow: int, classes_from: Sequence[str]) -> None:
        self.quick, self.slow = Lane(quick), Lane(slow)
        self._server = server
        self._classes_from = classes_from
        self.idle: list[WorkerProcess] = []

    def start(self) -> None:
        """Start the fork server, so that the first job does not wait for it; blocks for a moment."""
        self._server.start()

    def stop(self) -> None:
        """End all processes; a job would start them again."""
        self._server.stop()
        self.close_idle()

    def close_idle(self) -> None:
        """End the processes that have nothing to do, which returns their memory."""
        self._drop(self.idle)

    async def run(self, job: Job, slot: Slot) -> Outcome:
        """Return the outcome of a job. If the caller is cancelled, the process is killed.

        Raises the OcrError that the worker replies, WorkerEnded, InvalidReply, NotStarted or UnexpectedError.
        """
        try:
            return await self._run(job, slot)
        except (WorkerEnded, NotStarted):
            if self._server.is_running:
                raise
        # All workers died with the fork server, which is no fault of the document.
        return await self._run(job, slot)

    def forget(self, subject: Subject) -> None:
        """Release the memory of a document in the processes that hold it."""
        for process in self.idle:
            if process.document is subject:
                process.document = None
                process.send(Call(None, kept=process.memories.numbers))

    def trim(self) -> None:
        """Return the memory of idle processes to the system."""
        for process in self.idle:
            process.document = None
            process.memories.trim(0)
            process.send(Call(None))

    async def _run(self, job: Job, slot: Slot) -> Outcome:
        if not job.subject.takes_long:
            async with Place(self.quick) as place, self._attempt(job) as attempt:
                if await attempt.ends_within(QUICK_SECONDS):
                    return await _outcome(attempt)
                job.subject.takes_long = True
                if place.move_to(self.slow):
                    return await _slowly(job, attempt, slot)
        slot.give_back()
        async with Place(self.slow), self._attempt(job) as attempt:
            return await _slowly(job, attempt, slot)

    @asynccontextmanager
    async def _attempt(self, job: Job) -> AsyncIterator[Attempt]:
        """Run the job in a process, and then keep the process if it can be used again."""
        process = await self._process_for(job.subject)
        try:
            attempt = await _begin(job, process)
        except BaseException:
            process.close()
            raise
        can_be_used = False
        try:
            yield attempt
        finally:
            died = attempt.has_ended
            try:
                can_be_used = await attempt.end()
            finally:
                self._keep(process, can_be_used=can_be_used, died=died)

    async def _process_for(self, subject: Subject) -> WorkerProcess:
        """Return an idle process, if possible the one that has the document, or a new one."""
        self._drop([process for process in self.idle if not process.is_idle])
        for wanted in (subject, None):
            for process in self.idle:
                if process.document is wanted:
                    self.idle.remove(process)
                    return process
        if len(self.idle) == self.quick.places:
            return self.idle.pop(0)
        return await WorkerProcess.start(self._server, self._classes_from)

    def _keep(self, process: WorkerProcess, *, can_be_used: bool, died: bool) -> None:
        """Keep a process for the next job, if possible. died: it ended before anybody ended it."""
        if not can_be_used:
            metrics.decoders_lost.labels("died" if died else "stopped").inc()
        if can_be_used and not process.is_slowed and len(self.idle) < self.quick.places:
            process.memories.trim()
            self.idle.append(process)
        else:
            process.close()

    def _drop(self, processes: Sequence[WorkerProcess]) -> None:
        for process in list(processes):
            self.idle.remove(process)
            process.close()


async def _begin(job: Job, process: WorkerProcess) -> Attempt:
    """Send the job to a process, with the document if the process does not have it."""
    memory = process.memories.take(job.memory) if job.memory else None
    document = None if process.document is job.subject else await _file_of(job.subject.data)
    process.document = job.subject
    call = Call(
        job.request,
        job.seconds,
        has_document=document is not None,
        memory=memory.number if memory else 0,
        kept=process.memories.numbers,
    )
    files = [] if document is None else [document]
    try:
        if memory is None:
            return Attempt(process, call, files, None)
        return Attempt(process, call, [*files, memory.file], memory.lend())
    finally:
        if document is not None:
            os.close(document)


async def _file_of(data: bytes) -> int:
    if len(data) < _COPIED_AT_ONCE:
        return frames.file_of(data)
    return await asyncio.to_thread(frames.file_of, data)


async def _slowly(job: Job, attempt: Attempt, slot: Slot) -> Outcome:
    """Wait for the reply without the slot, and for the slot before the pixels are used."""
    slot.give_back()
    attempt.process.slow_down()
    outcome = await _outcome(attempt)
    job.subject.takes_long = attempt.cpu_seconds > QUICK_SECONDS
    await slot.take_again()
    return outcome


async def _outcome(attempt: Attempt) -> Outcome:
    """Return the reply of a worker; raises the error in the reply."""
    reply = await attempt.reply()
    if isinstance(reply, Unexpected):
        log.error("%s in a worker process", reply.error, extra=fields(stack="".join(reply.stack)))
        raise UnexpectedError
    if isinstance(reply, OcrError):
        raise reply
    return Outcome(reply, attempt.memory)
