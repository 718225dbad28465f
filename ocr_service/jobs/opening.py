"""Opens the database and the files of the jobs.

Only lazily imported: SQLAlchemy and Alembic take half a second.
"""

import asyncio
from dataclasses import dataclass

from ocr_service.core.storage import Storage
from ocr_service.jobs.attempt import ServiceParts
from ocr_service.jobs.callbacks import CallbackCalls
from ocr_service.jobs.contents import Contents
from ocr_service.jobs.database import Database
from ocr_service.jobs.files import JobFiles
from ocr_service.jobs.links import Links
from ocr_service.jobs.places import Places
from ocr_service.jobs.runner import Runner
from ocr_service.jobs.settings import JobSettings
from ocr_service.jobs.store import JobStore

# The folder of the database and of the documents, below OCR_JOBS_DIR or OCR_OUTPUT_DIR.
_FOLDER = "jobs"


@dataclass(frozen=True, slots=True)
class Opened:
    """The parts of the jobs that need the database."""

    store: JobStore
    files: JobFiles
    contents: Contents
    links: Links
    runner: Runner
    callbacks: CallbackCalls


async def open_jobs(settings: JobSettings, places: Places, parts: ServiceParts) -> Opened:
    """Open the database and bring its tables up to date; raises JobsUnavailable."""
    database, storage = await _database(settings, places)
    store = JobStore(database, settings)
    try:
        await database.migrate()
        if not settings.url:
            await store.restart()
        key = await store.link_key()
    except BaseException:
        await database.close()
        raise
    files = JobFiles(storage)
    contents = Contents(files, parts.admission.memory)
    runner = Runner(store, files, contents, parts, settings.at_once)
    return Opened(store, files, contents, Links(key), runner, CallbackCalls(store, parts.notify))


async def _database(settings: JobSettings, places: Places) -> tuple[Database, Storage]:
    if settings.url:
        assert places.shared is not None
        return Database.in_postgresql(settings.url.get_secret_value()), places.shared
    assert places.folder is not None and places.local is not None
    return await asyncio.to_thread(Database.in_folder, places.folder / _FOLDER), places.local
