"""Processes of the service that read jobs, and a job whose course is checked."""

import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.running import NO_CERTIFICATES, RunningProgram
from tests.samples import pdf_of_text

PAGES = 6
DOCUMENT = pdf_of_text([f"page {number}" for number in range(1, PAGES + 1)], size=(100, 100))
# Seconds for anything that has no set time; machines can be slow.
PATIENCE = 120.0


class Replica(RunningProgram):
    """One process. folder: of the files of the jobs. url: of the database; None for SQLite in the folder."""

    def __init__(
        self, folder: Path, url: str | None = None, kill_at: str | None = None, port: int = 0
    ) -> None:
        self._reads, self._hold = folder / "reads", folder / "hold"
        settings = {
            "OCR_OUTPUT_DIR": str(folder),
            "OCR_CACHE_LIFETIME": "0",
            "OCR_LOG_FORMAT": "text",
            "OCR_JOBS_MAX": "10000",
            "READS": str(self._reads),
            "HOLD": str(self._hold),
            **({"OCR_JOBS_URL": url} if url else {}),
            **({"KILL_AT": kill_at} if kill_at else {}),
        }
        module = "tests.jobs.killed_service:app"
        super().__init__([sys.executable, "-m", "uvicorn", module, "--port", str(port)], **settings)

    def _start(self, opened: ExitStack) -> None:
        super()._start(opened)
        client = httpx.Client(base_url=self.url, timeout=PATIENCE, verify=NO_CERTIFICATES)
        self.client = opened.enter_context(client)
        self.wait_for("jobs are available", timeout=PATIENCE)

    @property
    def reads(self) -> Counter[str]:
        """How often each page was read, by all processes of the folder."""
        return Counter(self._reads.read_text().split()) if self._reads.exists() else Counter()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let no process of the folder read a second page in the meantime."""
        self._hold.parent.mkdir(exist_ok=True)
        self._hold.touch()
        try:
            yield
        finally:
            self._hold.unlink()

    def submit(self, key: str) -> str | None:
        """Submit the document; return the id of the job, or None if the process died before its answer.

        The process does not come to its second page before it has answered.
        """
        with self.held():
            try:
                answer = self.client.post("/jobs", files={"file": DOCUMENT}, headers={"Idempotency-Key": key})
            except httpx.TransportError:
                return None
        job: str = answer.raise_for_status().json()["id"]
        return job

    def ended(self, job: str, within: float = PATIENCE) -> dict[str, Any]:
        """Return the job when it is at its end; fail if it is not within so many seconds."""
        deadline = time.monotonic() + within
        while True:
            status: dict[str, Any] = self.client.get(f"/jobs/{job}").raise_for_status().json()
            if status["state"] in ("done", "failed", "cancelled"):
                return status
            assert time.monotonic() < deadline, status
            time.sleep(0.1)

    def wait_until_answered(self, path: str) -> None:
        """Return when a path is answered; fail if that takes too long."""
        deadline = time.monotonic() + PATIENCE
        while self.client.get(path).status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def jobs(self) -> list[str]:
        """Return the ids of all jobs."""
        return [job["id"] for job in self.client.get("/jobs").raise_for_status().json()["jobs"]]
