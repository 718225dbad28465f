"""Worker processes that all do the same work, each for as long as somebody waits for it."""

from collections.abc import Sequence

from ocr_service.runtime.processes.fork_server import ForkServer
from ocr_service.runtime.processes.jobs import Job, Outcome, outcome_of
from ocr_service.runtime.processes.lanes import Lane, Place
from ocr_service.runtime.processes.processes import Processes
from ocr_service.runtime.processes.worker_process import WorkerProcess
from ocr_service.telemetry import metrics


class SingleLane(Processes):
    """Runs as many jobs at a time as the lane has places, and one more for a caller without any there."""

    def __init__(self, server: ForkServer, places: int, classes_from: Sequence[str]) -> None:
        super().__init__(server, places, classes_from, metrics.recognizers_lost)
        self.lane = Lane(places, spare=1)
        self._busy: list[WorkerProcess] = []

    async def run(self, job: Job, most_memory: int) -> Outcome:
        """Return the outcome of a job. If the caller is cancelled, the process is killed, and its place free.

        most_memory: bytes beyond which the process is killed. It cannot limit itself: a library that gets no
        memory may go on without a part of its result.
        Raises the OcrError that the worker replies, WorkerEnded, InvalidReply, NotStarted or UnexpectedError.
        """
        async with Place(self.lane, job.subject.caller):
            return await self._retried(lambda: self._once(job, most_memory))

    async def _once(self, job: Job, most_memory: int) -> Outcome:
        async with self._attempt(job) as attempt:
            if self.lane.uses_spare:
                self._slow_down_others()
            self._busy.append(attempt.process)
            try:
                await attempt.ends_below(most_memory)
                return await outcome_of(attempt)
            finally:
                self._busy.remove(attempt.process)

    def _slow_down_others(self) -> None:
        """Leave the cores to the job of a caller without any other, beside more processes than cores."""
        for process in self._busy:
            process.slow_down()
