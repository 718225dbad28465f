"""A pool of worker processes with two lanes, so that work that takes long does not stop the rest.

Work starts in the quick lane. After some CPU time it goes on in the slow lane, at a low priority; if that
lane is full, it is stopped, waits there, and starts again. So the documents that take all the time that they
may do not delay others, and the number of processes is fixed.
"""

from collections.abc import Sequence
from typing import Protocol

from ocr_service.runtime.processes.attempt import Attempt
from ocr_service.runtime.processes.fork_server import ForkServer
from ocr_service.runtime.processes.jobs import Job, Outcome, outcome_of
from ocr_service.runtime.processes.lanes import Lane, Place
from ocr_service.runtime.processes.processes import Processes
from ocr_service.telemetry import metrics

QUICK_SECONDS = 0.5
"""CPU time in the quick lane. A page of a usual size takes a tenth of this."""


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


class Pool(Processes):
    """Runs jobs in two lanes. quick, slow: number of places in each."""

    def __init__(self, server: ForkServer, quick: int, slow: int, classes_from: Sequence[str]) -> None:
        super().__init__(server, quick, classes_from, metrics.decoders_lost)
        self.quick, self.slow = Lane(quick), Lane(slow)

    async def run(self, job: Job, slot: Slot) -> Outcome:
        """Return the outcome of a job. If the caller is cancelled, the process is killed.

        Raises the OcrError that the worker replies, WorkerEnded, InvalidReply, NotStarted or UnexpectedError.
        """
        return await self._retried(lambda: self._run(job, slot))

    async def _run(self, job: Job, slot: Slot) -> Outcome:
        if not job.subject.takes_long:
            async with Place(self.quick, job.subject.caller) as place, self._attempt(job) as attempt:
                if await attempt.ends_within(QUICK_SECONDS):
                    return await outcome_of(attempt)
                job.subject.takes_long = True
                if place.move_to(self.slow):
                    return await _slowly(job, attempt, slot)
        slot.give_back()
        async with Place(self.slow, job.subject.caller), self._attempt(job) as attempt:
            return await _slowly(job, attempt, slot)


async def _slowly(job: Job, attempt: Attempt, slot: Slot) -> Outcome:
    """Wait for the reply without the slot, and for the slot before the pixels are used."""
    slot.give_back()
    attempt.process.slow_down()
    outcome = await outcome_of(attempt)
    job.subject.takes_long = attempt.cpu_seconds > QUICK_SECONDS
    await slot.take_again()
    return outcome
