"""Jobs for worker processes, and their outcomes."""

import logging
from dataclasses import dataclass
from typing import Any

from ocr_service.core.errors import OcrError
from ocr_service.core.turns import UNKNOWN, Caller
from ocr_service.runtime.processes.attempt import Attempt
from ocr_service.runtime.processes.calls import Unexpected
from ocr_service.telemetry.logs import fields

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Subject:
    """A document, which several jobs are about. caller: its sender. takes_long: the last of them did."""

    data: bytes
    caller: Caller = UNKNOWN
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


async def outcome_of(attempt: Attempt) -> Outcome:
    """Wait for the reply of a worker; raises the error in the reply."""
    reply = await attempt.reply()
    if isinstance(reply, Unexpected):
        log.error("%s in a worker process", reply.error, extra=fields(stack="".join(reply.stack)))
        raise UnexpectedError
    if isinstance(reply, OcrError):
        raise reply
    return Outcome(reply, attempt.memory)
