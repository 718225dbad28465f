"""A service of one's own: it runs on this machine as long as the command does."""

import asyncio
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from ocr_service.bulk.errors import CannotRun

_START = Path(__file__).parents[2] / "start.sh"
# If this process is killed, the service gets SIGTERM.
_COMMAND = ("setpriv", "--pdeathsig", "TERM", "--", str(_START))
_STOP_SECONDS = 120
# The largest value of OCR_JOBS_AT_ONCE.
_MAX_JOBS = 64
# It has jobs of its own and no other callers. The last two are variables of clients.
_NOT_HERE = (
    "OCR_API_KEYS",
    "OCR_API_KEYS_FILE",
    "OCR_JOBS_URL",
    "OCR_JOBS_REPLICATED",
    "OCR_API_KEY",
    "OCR_URL",
)


@asynccontextmanager
async def local_service(environment: Mapping[str, str], bucket: str, in_flight: int) -> AsyncIterator[str]:
    """Run a service with the settings of the environment; yield its URL at once, before it is ready.

    bucket: that has the documents, or "". in_flight: documents at a time.
    """
    with tempfile.TemporaryDirectory(prefix="ocr-bulk-") as folder:
        port = _free_port()
        settings = _settings(environment, bucket, in_flight, folder, port)
        service = await asyncio.create_subprocess_exec(*_COMMAND, env=settings)
        try:
            async with asyncio.TaskGroup() as tasks:
                watching = tasks.create_task(_watch(service))
                yield f"http://127.0.0.1:{port}"
                watching.cancel()
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        finally:
            await _stop(service)


def _settings(
    environment: Mapping[str, str], bucket: str, in_flight: int, folder: str, port: int
) -> dict[str, str]:
    kept = {name: value for name, value in environment.items() if name not in _NOT_HERE}
    return {
        "OCR_LOG_LEVEL": "warning",
        **kept,
        **({"CLOUDRU_S3_BUCKET": bucket} if bucket else {}),
        # The programs of this environment.
        "PATH": f"{Path(sys.executable).parent}:{environment.get('PATH', os.defpath)}",
        "UVICORN_HOST": "127.0.0.1",
        "UVICORN_PORT": str(port),
        "OCR_OUTPUT_DIR": folder,
        "OCR_PRELOAD": "true",
        "OCR_CACHE_LIFETIME": "0",
        "OCR_JOBS_AT_ONCE": str(min(in_flight, _MAX_JOBS)),
        "OCR_JOBS_MAX": str(max(1000, 2 * in_flight)),
    }


async def _watch(service: asyncio.subprocess.Process) -> None:
    """Raise CannotRun when the service ends: waiting for it would be in vain."""
    await service.wait()
    raise CannotRun("The service on this machine has ended; its log says why.")


async def _stop(service: asyncio.subprocess.Process) -> None:
    if service.returncode is None:
        service.terminate()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await service.wait()
    except TimeoutError:
        service.kill()
        await service.wait()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
