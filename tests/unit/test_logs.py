"""Log formats: every record is one line, and error messages that may quote a document are left out."""

import asyncio
import json
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from ocr_service.telemetry.logs import WITH_TEXT, configure_logging, fields, log_format
from ocr_service.telemetry.request_context import request_id
from tests.settings import settings_of

log = logging.getLogger("ocr_service.some_module")

# All kinds of line ends, and control characters of terminals.
NASTY = 'one\ntwo\r\nthree\x0b\x0c\x1c\x85\u2028\u2029\x1b[2J\x00 "quoted" \\ \ud800 Договор'


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    names = (None, "uvicorn", "uvicorn.error", "uvicorn.access")
    loggers = [logging.getLogger(name) for name in names]
    before = [(logger, logger.handlers[:], logger.level, logger.disabled) for logger in loggers]
    yield
    logging.captureWarnings(False)
    for logger, handlers, level, disabled in before:
        logger.handlers[:], logger.disabled = handlers, disabled
        logger.setLevel(level)


Written = Callable[[], str]


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Written:
    return lambda: capsys.readouterr().err


def parsed_line(line: str) -> dict[str, Any]:
    """Check that the output is exactly one line, and parse it as JSON."""
    assert line.endswith("\n") and len(line.splitlines()) == 1
    record: dict[str, Any] = json.loads(line)
    return record


# Document text that an error message may quote.
QUOTED = "Договор № 17\n2026-01-01T00:00:00.000Z INFO forged"


def fail_inside() -> None:
    raise ValueError(QUOTED) from KeyError(QUOTED)


def test_json_line(written: Written) -> None:
    configure_logging("info", "json")
    began = datetime.now(UTC)
    log.info("%s is ready", "Tesseract")
    record = parsed_line(written())
    assert abs((datetime.fromisoformat(record["time"]) - began).total_seconds()) < 60
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record.pop("time"))
    assert record == {"level": "INFO", "logger": "ocr_service.some_module", "message": "Tesseract is ready"}


def test_json_line_with_an_id_and_fields(written: Written) -> None:
    configure_logging("info", "json")
    token = request_id.set("order-17")
    log.info("done", extra=fields(pages=2, cached=False, engine=None, timings_ms={"decode": 1.5}))
    request_id.reset(token)
    record = parsed_line(written())
    assert record["request_id"] == "order-17"
    assert (record["pages"], record["cached"], record["timings_ms"]) == (2, False, {"decode": 1.5})
    assert "engine" not in record


def test_text_line(written: Written) -> None:
    configure_logging("info", "text")
    token = request_id.set("order-17")
    known = fields(
        method="POST", path="/ocr", status=200, duration_ms=7.1, pages=2, timings_ms={"queue": 1.5}
    )
    log.info("POST /ocr 200 7 ms", extra=known)
    request_id.reset(token)
    time, rest = written().split(" ", 1)
    assert time.endswith("Z")
    assert rest == (
        'INFO ocr_service.some_module [order-17] POST /ocr 200 7 ms pages=2 timings_ms={"queue": 1.5}\n'
    )


@pytest.mark.parametrize("form", ["json", "text"])
def test_line_ends_in_a_message_do_not_split_the_line(written: Written, form: str) -> None:
    configure_logging("info", form)
    log.warning("path: %s", NASTY, extra=fields(path=NASTY, engine=NASTY.replace("\n", "")))
    line = written().removesuffix("\n")
    assert len(line.splitlines()) == 1
    assert not [c for c in line if not c.isprintable()]
    if form == "json":
        assert json.loads(line)["message"] == f"path: {NASTY}"


def test_traceback_is_part_of_the_json_line_without_messages(written: Written) -> None:
    configure_logging("info", "json")
    try:
        fail_inside()
    except ValueError:
        log.exception("page %d failed", 3)
    record = parsed_line(written())
    assert record["message"] == "page 3 failed"
    lines = record["exception"].splitlines()
    assert lines[:2] == ["KeyError", "which led to:"] and lines[-1] == "ValueError"
    assert any("in fail_inside" in line for line in lines)
    assert "17" not in record["exception"] and "forged" not in record["exception"]


def test_traceback_is_indented_below_the_text_line(written: Written) -> None:
    configure_logging("info", "text")
    try:
        fail_inside()
    except ValueError:
        log.exception("page failed")
    first, *rest = (text := written()).splitlines()
    assert first.endswith("page failed") and rest[-1] == "  | ValueError"
    assert all(line.startswith("  | ") for line in rest)
    assert "forged" not in text


def test_message_of_an_os_error_is_logged(written: Written) -> None:
    configure_logging("info", "json")
    try:
        raise OSError(28, "No space left on device")
    except OSError:
        log.exception("not stored")
    assert (
        parsed_line(written())["exception"].splitlines()[-1] == "OSError: [Errno 28] No space left on device"
    )


def test_error_message_is_logged_if_marked_as_safe(written: Written) -> None:
    configure_logging("info", "json")
    log.error("it did not start", exc_info=RuntimeError("CUDA out of memory"), extra=WITH_TEXT)
    assert parsed_line(written())["exception"] == "RuntimeError: CUDA out of memory"


def test_all_errors_of_a_group_are_logged_and_cycles_end(written: Written) -> None:
    configure_logging("info", "json")
    first, second = ValueError(QUOTED), KeyError(QUOTED)
    first.__cause__, second.__cause__ = second, first
    log.error("several failed", exc_info=ExceptionGroup(QUOTED, [first, second]))
    record = parsed_line(written())["exception"].splitlines()
    assert sorted(line for line in record if line != "which led to:") == [
        "ExceptionGroup",
        "KeyError",
        "ValueError",
    ]


def test_asyncio_error_is_logged_without_its_message(written: Written) -> None:
    """asyncio logs an exception that was never retrieved when its task is deleted."""

    async def forget_a_failure() -> None:
        async def fail() -> None:
            fail_inside()

        task = asyncio.create_task(fail())
        await asyncio.wait([task])
        asyncio.get_running_loop().call_exception_handler(
            {"message": "Task exception was never retrieved", "exception": task.exception(), "future": task}
        )

    configure_logging("info", "json")
    asyncio.run(forget_a_failure())
    record = parsed_line(written())
    assert record["message"] == "Task exception was never retrieved"
    assert record["exception"].endswith("\nValueError") and "forged" not in json.dumps(record)


def test_python_warnings_have_the_same_format(written: Written) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        configure_logging("info", "json")
        warnings.warn("odd metadata", UserWarning, stacklevel=1)
    record = parsed_line(written())
    assert (record["level"], record["logger"]) == ("WARNING", "py.warnings")
    assert "UserWarning: odd metadata" in record["message"]


@pytest.mark.parametrize(
    ("environment", "form"),
    [({}, "json"), ({"OCR_LOG_FORMAT": "text"}, "text"), ({"OCR_LOG_FORMAT": "json"}, "json"),
     ({"OCR_LOG_FORMAT": "yaml"}, "json")],
)  # fmt: skip
def test_log_format_is_known_before_the_settings(environment: dict[str, str], form: str) -> None:
    assert log_format(environment) == form


def test_default_log_format_matches_the_settings() -> None:
    assert settings_of().logs.format == log_format({})
