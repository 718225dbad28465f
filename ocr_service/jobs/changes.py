"""Changes of jobs by this process, for the streams that follow a job here."""

import asyncio
from weakref import WeakValueDictionary


class Changes:
    """Events that are set once, by the next change of a job; for one event loop."""

    def __init__(self) -> None:
        # Only waiting streams hold an event.
        self._next: WeakValueDictionary[str, asyncio.Event] = WeakValueDictionary()

    def next_of(self, job_id: str) -> asyncio.Event:
        """Return the event that the next change of a job sets."""
        event = self._next.get(job_id)
        if event is None:
            event = self._next[job_id] = asyncio.Event()
        return event

    def tell(self, job_id: str) -> None:
        """Set the event of a job, if a stream waits for it."""
        if event := self._next.pop(job_id, None):
            event.set()

    def tell_all(self) -> None:
        """Set the events of all jobs."""
        for job_id in list(self._next):
            self.tell(job_id)
