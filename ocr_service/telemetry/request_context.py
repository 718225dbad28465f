"""The current request: its ids and its record."""

from contextvars import ContextVar
from dataclasses import dataclass, field

NO_REQUEST = "-"
"""The id outside of requests."""

request_id: ContextVar[str] = ContextVar("request_id", default=NO_REQUEST)
"""The id of the current request, or NO_REQUEST. asyncio.to_thread passes it to the thread."""

unique_id: ContextVar[str] = ContextVar("unique_id", default=NO_REQUEST)
"""The same id if the service made it. An id that the client chose gets a random suffix.

It is valid in an object key and in a file name: letters, digits, full stops, hyphens and underscores.
"""


@dataclass(slots=True)
class Record:
    """The facts about a request, for its log line, its metrics and its trace.

    A fact that does not apply is None. route: the path template of the API, without values from the client.
    status: HTTP status, or 499 if the client disconnected before the answer. seconds: from the headers of the
    request to the end of the answer. engine: name. document_bytes: size of the upload. pages: number of pages
    in the result, of which failed_pages have no text or lack a part of it, and doubtful_pages have a warning
    that text may be wrong or missing. cached: cache hit. storage: `storage.status` of the answer. timings:
    seconds by stage, summed over all pages.
    """

    method: str = ""
    route: str = "other"
    status: int | None = None
    seconds: float | None = None
    engine: str | None = None
    document_bytes: int | None = None
    pages: int | None = None
    failed_pages: int | None = None
    doubtful_pages: int | None = None
    cached: bool | None = None
    storage: str | None = None
    timings: dict[str, float] = field(default_factory=dict)


record: ContextVar[Record] = ContextVar("record")
"""The record of the current request. The code that learns a fact writes it there."""


# The code of nginx for a client that disconnected before the answer. It is only logged and counted.
CLIENT_CLOSED_REQUEST = 499
