"""Which request a line of code works for."""

from contextvars import ContextVar
from dataclasses import dataclass, field

NO_REQUEST = "-"
"""What stands for an id outside of requests."""

request_id: ContextVar[str] = ContextVar("request_id", default=NO_REQUEST)
"""The running request's id; NO_REQUEST outside of requests. Threads see it through asyncio.to_thread."""

unique_id: ContextVar[str] = ContextVar("unique_id", default=NO_REQUEST)
"""The same where the service made it; where its caller chose it, with something behind that nobody chose.

Fit for a key or a file's name: letters, digits, full stops, hyphens and underscores.
"""


@dataclass(slots=True)
class Record:
    """What is known of a request at its end, for its log line, its metrics and its trace.

    What was never found out stays None. route: the path as the API has it, without what callers put in.
    status: the answer's, or 499 where the caller left first. seconds: from its headers to the answer's end.
    engine: the engine's name. document_bytes: of the document as it came. pages: how many were read, of which
    failed_pages failed. cached: whether it was read before. storage: what became of its result, as the
    answer's `storage.status` has it. timings: seconds by stage, summed over all pages.
    """

    method: str = ""
    route: str = "other"
    status: int | None = None
    seconds: float | None = None
    engine: str | None = None
    document_bytes: int | None = None
    pages: int | None = None
    failed_pages: int | None = None
    cached: bool | None = None
    storage: str | None = None
    timings: dict[str, float] = field(default_factory=dict)


record: ContextVar[Record] = ContextVar("record")
"""The running request's record; whoever finds something out writes it there."""


# nginx's number for a caller that left before the answer; it is only ever logged and counted.
CLIENT_CLOSED_REQUEST = 499
