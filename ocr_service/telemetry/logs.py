"""Log lines: one format for the service, uvicorn and Python warnings, with the id of the request.

A record is one line: a JSON object, or plain text with an indented traceback below it.
"""

import json
import logging
import sys
import traceback
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from ocr_service.telemetry.request_context import NO_REQUEST, request_id

_VERBOSE = ("alembic", "PIL", "python_multipart", "httpx", "httpcore", "httpx2", "httpcore2", "openai")
_LOG_SECRETS = ("boto3", "botocore", "s3transfer", "urllib3")

# The message of an access line contains these fields.
_IN_MESSAGE = ("method", "path", "status", "duration_ms")

WITH_TEXT = {"with_text": True}
"""The `extra` of a log call that shows the text of its exception, which cannot quote a document."""

# The text of these errors comes from the system. The text of others may quote a document.
_SAFE_ERRORS = (OSError, ImportError, MemoryError)


def configure_logging(level: str, style: str) -> None:
    """Write the records of all loggers to standard error. level: minimum. style: `json` or `text`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if style == "json" else _Text())
    # Pillow emits warnings about a file. As log lines they have the id of the request.
    logging.captureWarnings(True)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
        logging.getLogger(name).setLevel(level.upper())
    # The service writes its own access line, with the duration.
    logging.getLogger("uvicorn.access").disabled = True
    # At lower levels these log each chunk or model call. The libraries for S3 also log keys and signatures.
    for name in (*_VERBOSE, *_LOG_SECRETS):
        logging.getLogger(name).setLevel("WARNING")


def log_format(environment: Mapping[str, str]) -> str:
    """Return the value of `OCR_LOG_FORMAT`, for code that logs before the settings are loaded."""
    return "text" if environment.get("OCR_LOG_FORMAT") == "text" else "json"


def fields(**values: Any) -> dict[str, Any]:
    """Return the `extra` of a log call with fields beside the message. Fields that are None are left out."""
    return {"fields": {name: value for name, value in values.items() if value is not None}}


def _values(record: logging.LogRecord) -> dict[str, Any]:
    time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    values = {
        "time": time.replace("+00:00", "Z"),
        "level": record.levelname,
        "logger": record.name,
        "message": _message(record),
    }
    if request_id.get() != NO_REQUEST:
        values["request_id"] = request_id.get()
    values.update(getattr(record, "fields", {}))
    if record.exc_info and record.exc_info[1]:
        values["exception"] = "\n".join(_trace(record.exc_info[1], getattr(record, "with_text", False)))
    return values


def _message(record: logging.LogRecord) -> str:
    message = record.getMessage().rstrip()
    # Its other lines contain the task or future that failed, and with it the text of the error.
    return message.partition("\n")[0] if record.name == "asyncio" else message


def _trace(error: BaseException, with_text: bool) -> Iterator[str]:
    """Yield the lines of a traceback, causes first, without the text of errors that may quote a document."""
    for number, link in enumerate(_causes(error)):
        if number:
            yield "which led to:"
        yield from (line.rstrip("\n") for line in traceback.format_tb(link.__traceback__))
        name = f"{type(link).__module__}.{type(link).__qualname__}".removeprefix("builtins.")
        yield f"{name}: {link}" if with_text or isinstance(link, _SAFE_ERRORS) else name


def _causes(error: BaseException) -> list[BaseException]:
    """Return the causes of an error and the error itself, each once, the error last."""
    found: list[BaseException] = []
    pending = [error]
    while pending:
        link = pending.pop()
        if link not in found:
            found.append(link)
            cause = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
            pending += [*getattr(link, "exceptions", ()), *([cause] if cause else [])]
    return found[::-1]


class _Json(logging.Formatter):
    """One JSON object per line, in ASCII, so that no Unicode line separator splits it."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(_values(record))


class _Text(logging.Formatter):
    """`time level logger [request id] message name=value …`."""

    def format(self, record: logging.LogRecord) -> str:
        values = _values(record)
        words = [values.pop("time"), values.pop("level"), values.pop("logger")]
        below = []
        if "request_id" in values:
            words.append(f"[{values.pop('request_id')}]")
        words.append(values.pop("message"))
        for name, value in values.items():
            if name in _IN_MESSAGE:
                continue
            if isinstance(value, str) and "\n" in value:
                below += value.split("\n")
            else:
                words.append(f"{name}={value if isinstance(value, str) else json.dumps(value)}")
        return "\n  | ".join(map(_printable, [" ".join(words), *below]))


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
