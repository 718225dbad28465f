"""The real service with the scripted engine, which kills its own process at a boundary of a job, for uvicorn.

KILL_AT: name of a boundary, `hang` for a page that is never read, or `stop` for a process that stops at a
page until it gets SIGCONT; if it is not set, the process lives. READS: file that gets a line for each page
that the engine reads. HOLD: file; while it exists, no second page of a document is read.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import event

import server
from ocr_service.config import load_settings
from ocr_service.core.documents import Page, PageResult
from ocr_service.core.options import Options
from ocr_service.storage.local import LocalStorage
from ocr_service.telemetry.logs import configure_logging
from tests.fakes.scripted_engine import ScriptedEngine
from tests.jobs.boundaries import BOUNDARIES

log = logging.getLogger("ocr_service.tests")

HOW = os.environ.get("KILL_AT", "")
PAGE = 2
_PLACE = BOUNDARIES.get(HOW)
_committing = False


def _at(*place: str) -> None:
    if place == _PLACE:
        os.kill(os.getpid(), signal.SIGKILL)


class KillingStorage(LocalStorage):
    async def put(self, key: str, body: bytes, content_type: str, metadata: Mapping[str, str]) -> None:
        name = key.rpartition("/")[2]
        _at(name, "before")
        await super().put(key, body, content_type, metadata)
        _at(name, "after")


def _is_held() -> bool:
    return Path(os.environ["HOLD"]).exists()


def _count(page: int) -> None:
    with Path(os.environ["READS"]).open("a") as reads:
        reads.write(f"{page}\n")


class CountingEngine(ScriptedEngine):
    async def recognize(self, page: Page, options: Options) -> PageResult:
        while page.index == PAGE and _is_held():
            await asyncio.sleep(0.02)
        _count(page.index)
        if page.index == PAGE and HOW == "hang":
            log.warning("the page hangs")
            await asyncio.Event().wait()
        if page.index == PAGE and HOW == "stop":
            log.warning("the process stops itself")
            os.kill(os.getpid(), signal.SIGSTOP)
        return await super().recognize(page, options)


def _before_statement(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
    global _committing
    values = parameters.values() if isinstance(parameters, dict) else parameters
    # The acceptance returns the row; other statements that set this state do not.
    is_chosen = statement.startswith("UPDATE jobs SET") and (HOW[-3:] != "row" or "RETURNING" in statement)
    if _PLACE and is_chosen and _PLACE[0] in values:
        _at(_PLACE[0], "before")
        _committing = True


def _after_transaction(*_: Any) -> None:
    if _PLACE and _committing:
        _at(_PLACE[0], "after")


event.listen(sqlalchemy.Engine, "before_cursor_execute", _before_statement)
event.listen(sqlalchemy.Pool, "checkin", _after_transaction)
server.LocalStorage = KillingStorage  # type: ignore[attr-defined] # the storage of the jobs, with the fault
_SETTINGS = load_settings()
configure_logging(_SETTINGS.logs.level, _SETTINGS.logs.format)
_FOLDER = _SETTINGS.storage.output_dir
assert _FOLDER is not None
app = server.create_app(_SETTINGS, CountingEngine(), KillingStorage(_FOLDER))
