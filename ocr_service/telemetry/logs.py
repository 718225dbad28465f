"""How log lines look: one form for the service's own, uvicorn's and Python's warnings, with the request's id.

A record is one line: an object of JSON, or plain text for a person, where a traceback is indented below.
"""

import json
import logging
import sys
import traceback
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from ocr_service.telemetry.request_context import NO_REQUEST, request_id

_TALKATIVE = ("PIL", "python_multipart", "httpx", "httpcore", "httpx2", "httpcore2", "openai")
_INDISCREET = ("boto3", "botocore", "s3transfer", "urllib3")

# What a request's message says, too.
_SAID = ("method", "path", "status", "duration_ms")

WITH_TEXT = {"with_text": True}
"""The `extra` of a log call whose exception cannot quote a document: there is none yet."""

# Their words come from the system. Others may quote what they failed on, and so a document's text.
_DISCREET = (OSError, ImportError, MemoryError)


def configure_logging(level: str, form: str) -> None:
    """Write every logger's lines at `level` or above to standard error; form: `json` or `text`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    # Pillow warns of oddities in files; such lines belong to the request that sent the file.
    logging.captureWarnings(True)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
        logging.getLogger(name).setLevel(level.upper())
    # The service writes its own line for every request, with the time it took.
    logging.getLogger("uvicorn.access").disabled = True
    # These write a line for every chunk of a file or call of a model; those of S3 also keys and signatures.
    for name in (*_TALKATIVE, *_INDISCREET):
        logging.getLogger(name).setLevel("WARNING")


def log_format(environment: Mapping[str, str]) -> str:
    """Return what `OCR_LOG_FORMAT` says, for those who cannot wait for the settings."""
    return "text" if environment.get("OCR_LOG_FORMAT") == "text" else "json"


def fields(**values: Any) -> dict[str, Any]:
    """Make the `extra` of a log call: what the line has beside its message; what is None is left out."""
    return {"fields": {name: value for name, value in values.items() if value is not None}}


def _told(record: logging.LogRecord) -> dict[str, Any]:
    time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    told = {
        "time": time.replace("+00:00", "Z"),
        "level": record.levelname,
        "logger": record.name,
        "message": _message(record),
    }
    if request_id.get() != NO_REQUEST:
        told["request_id"] = request_id.get()
    told.update(getattr(record, "fields", {}))
    if record.exc_info and record.exc_info[1]:
        told["exception"] = "\n".join(_trace(record.exc_info[1], getattr(record, "with_text", False)))
    return told


def _message(record: logging.LogRecord) -> str:
    message = record.getMessage().rstrip()
    # Its further lines show the task or the future that failed, and with it the error's words.
    return message.partition("\n")[0] if record.name == "asyncio" else message


def _trace(error: BaseException, with_text: bool) -> Iterator[str]:
    """Yield a traceback's lines, causes first; without the words of those that may quote a document."""
    for number, one in enumerate(_causes(error)):
        if number:
            yield "which led to:"
        yield from (line.rstrip("\n") for line in traceback.format_tb(one.__traceback__))
        name = f"{type(one).__module__}.{type(one).__qualname__}".removeprefix("builtins.")
        yield f"{name}: {one}" if with_text or isinstance(one, _DISCREET) else name


def _causes(error: BaseException) -> list[BaseException]:
    """Return all that led to an error, each once, and the error last."""
    found: list[BaseException] = []
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.append(one)
            cause = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
            waiting += [*getattr(one, "exceptions", ()), *([cause] if cause else [])]
    return found[::-1]


class _Json(logging.Formatter):
    """One object a line; in ASCII, so that no reader of lines takes one for two."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(_told(record))


class _Text(logging.Formatter):
    """`time level logger [request's id] message name=value …`."""

    def format(self, record: logging.LogRecord) -> str:
        told = _told(record)
        words = [told.pop("time"), told.pop("level"), told.pop("logger")]
        below = []
        if "request_id" in told:
            words.append(f"[{told.pop('request_id')}]")
        words.append(told.pop("message"))
        for name, value in told.items():
            if name in _SAID:
                continue
            if isinstance(value, str) and "\n" in value:
                below += value.split("\n")
            else:
                words.append(f"{name}={value if isinstance(value, str) else json.dumps(value)}")
        return "\n  | ".join(map(_printable, [" ".join(words), *below]))


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
