"""Which request a line of code works for."""

from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="-")
"""The running request's id; "-" outside of requests. Threads see it through asyncio.to_thread."""

unique_id: ContextVar[str] = ContextVar("unique_id", default="-")
"""The same where the service made it; where its caller chose it, with something behind that nobody chose.

Fit for a key or a file's name: letters, digits, full stops, hyphens and underscores.
"""
