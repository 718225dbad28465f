"""The worker processes of one fork server: those that are idle, and runs of jobs in them."""

import atexit
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

from prometheus_client import Counter

from ocr_service.runtime.processes import frames
from ocr_service.runtime.processes.attempt import Attempt
from ocr_service.runtime.processes.calls import Call
from ocr_service.runtime.processes.fork_server import ForkServer
from ocr_service.runtime.processes.jobs import Job, Outcome, Subject
from ocr_service.runtime.processes.worker_process import NotStarted, WorkerEnded, WorkerProcess
from ocr_service.runtime.threads import open_in_thread

# A larger document is copied in a thread.
_COPIED_AT_ONCE = 2**20


class Processes:
    """Processes for jobs; a subclass decides how many run at a time.

    idle: processes that wait for a job, at most `kept`. classes_from: see `frames.reply_in`.
    lost: counts processes that end before they reply, with the label `reason`.
    """

    def __init__(self, server: ForkServer, kept: int, classes_from: Sequence[str], lost: Counter) -> None:
        self.idle: list[WorkerProcess] = []
        self._server = server
        self._kept = kept
        self._classes_from = classes_from
        self._lost = lost
        atexit.register(self.close_idle)

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

    async def _retried(self, run: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """Run a job, and once more if the fork server died with all workers, which is no fault of the job."""
        try:
            return await run()
        except (WorkerEnded, NotStarted):
            if self._server.is_running:
                raise
        return await run()

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
        if len(self.idle) == self._kept:
            return self.idle.pop(0)
        return await WorkerProcess.start(self._server, self._classes_from)

    def _keep(self, process: WorkerProcess, *, can_be_used: bool, died: bool) -> None:
        """Keep a process for the next job, if possible. died: it ended before anybody ended it."""
        if not can_be_used:
            self._lost.labels("died" if died else "stopped").inc()
        if can_be_used and not process.is_slowed and len(self.idle) < self._kept:
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
    return await open_in_thread(partial(frames.file_of, data), os.close)
