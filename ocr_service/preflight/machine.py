"""Shared memory and disks."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from ocr_service.preflight.findings import Finding, failed, passed

_MIB = 2**20
_GIB = 2**30
# The default of Docker, which is enough for one GPU.
_SHM_MIB = 64
# Compiled kernels of vLLM.
_TEMPORARY_GIB = 2
SHARED_MEMORY = Path("/dev/shm")


def check_machine(
    environment: Mapping[str, str], starts_vllm: bool, shared_memory: Path = SHARED_MEMORY
) -> Iterator[Finding]:
    """Check the folders that the service and vLLM write to."""
    if starts_vllm:
        yield _check_shared_memory(shared_memory)
        yield _check_temporary(Path(environment.get("HOME", "/tmp")))
    if output := environment.get("OCR_OUTPUT_DIR"):
        yield _check_output(Path(output), int(environment.get("OCR_SPOOL_MAX_MB") or 1024))


def _check_shared_memory(folder: Path) -> Finding:
    if (problem := _cannot_write(folder)) or (free := shutil.disk_usage(folder).free) < _SHM_MIB * _MIB:
        detail = problem or f"{free / _MIB:.0f} MiB are free"
        action = (
            f"start the container with --shm-size={_SHM_MIB}m or more, or mount an emptyDir in memory there"
        )
        return failed(str(folder), detail, action)
    return passed(str(folder), f"{free / _MIB:.0f} MiB are free")


def _check_temporary(folder: Path) -> Finding:
    check = f"disk at {folder}"
    if problem := _cannot_write(folder):
        return failed(check, problem, f"mount a writable volume at {folder}, such as `--tmpfs {folder}:exec`")
    if os.statvfs(folder).f_flag & os.ST_NOEXEC:
        return failed(
            check, "it is mounted noexec", "vLLM loads compiled kernels from there: mount it with exec"
        )
    free = shutil.disk_usage(folder).free / _GIB
    if free < _TEMPORARY_GIB:
        action = f"vLLM writes compiled kernels there: provide {_TEMPORARY_GIB} GiB"
        return failed(check, f"{free:.1f} GiB are free", action)
    return passed(check, f"{free:.1f} GiB are free")


def _check_output(folder: Path, spool_mib: int) -> Finding:
    check = f"disk at {folder}"
    if problem := _cannot_write(folder):
        return failed(
            check, problem, "mount a volume there that user 10001 can write to, or change OCR_OUTPUT_DIR"
        )
    free = shutil.disk_usage(folder).free / _MIB
    if free < spool_mib:
        action = f"provide {spool_mib} MiB, or lower OCR_SPOOL_MAX_MB"
        return failed(check, f"{free:.0f} MiB are free", action)
    return passed(check, f"{free / 1024:.1f} GiB are free")


def _cannot_write(folder: Path) -> str | None:
    """Return the reason why no file can be made in a folder; None if it can."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return os.strerror(error.errno or 0).lower()
