"""Which request a line of code works for."""

from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="-")
"""The running request's id; "-" outside of requests. Threads see it through asyncio.to_thread."""
