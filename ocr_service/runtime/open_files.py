"""The limit of open files, which connections count towards too."""

import logging
import resource

log = logging.getLogger(__name__)

# More makes the start of other programs slow, as some close all numbers up to the limit.
_ENOUGH = 65_536
# For the engine, the storage, downloads and temporary files.
_OTHER_FILES = 256


def raise_open_files() -> None:
    """Raise the soft limit of open files as far as the hard limit allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        log.info("limit of open files: %d, raised from %d", wanted, soft)


def connections_within_open_files(wanted: int) -> int:
    """Return the number of connections for which there are enough open files; logs a lower number."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    possible = max(1, soft - _OTHER_FILES, soft // 2)
    if possible < wanted:
        log.warning(
            "at most %d connections instead of %d: the limit of open files is %d", possible, wanted, soft
        )
    return min(wanted, possible)
