"""Deletes old results from the output folder, if the settings say so."""

import asyncio
import logging
import os
import time
from contextlib import suppress
from pathlib import Path

from ocr_service.runtime.threads import Workers

log = logging.getLogger(__name__)

_INTERVAL = 3600.0
_DAY = 86_400.0
# A result is in <yyyy>/<mm>/<dd>/<id>/. Other folders, such as the cache, have their own rules.
_DAYS = f"{'[0-9]' * 4}/{'[0-9]' * 2}/{'[0-9]' * 2}"


async def delete_old_results(folder: Path, days: float, interval: float = _INTERVAL) -> None:
    """Delete results older than so many days, now and each hour, until cancelled."""
    threads = Workers(1, "old-results")
    try:
        while True:
            try:
                deleted = await threads.run(delete_older, folder, time.time() - days * _DAY)
                if deleted:
                    log.info("%d results older than %g days were deleted", deleted, days)
            except OSError as error:
                log.error("old results cannot be deleted: %s", os.strerror(error.errno or 0))
            await asyncio.sleep(interval)
    finally:
        threads.close()


def delete_older(folder: Path, limit: float) -> int:
    """Delete the results last changed before the limit, in seconds since 1970; return their number.

    Replicas may do the same at the same time.
    """
    deleted = 0
    for day in folder.glob(_DAYS):
        for result in day.iterdir():
            deleted += _deleted_if_older(result, limit)
        for empty in (day, day.parent, day.parent.parent):
            # A folder that is not empty stays.
            with suppress(OSError):
                empty.rmdir()
    return deleted


def _deleted_if_older(result: Path, limit: float) -> bool:
    # Files first: a folder is deleted when it is empty.
    paths = sorted([result, *result.rglob("*")], reverse=True)
    with suppress(FileNotFoundError):
        if any(path.lstat().st_mtime >= limit for path in paths):
            return False
        for path in paths:
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            else:
                path.unlink()
        return True
    return False
