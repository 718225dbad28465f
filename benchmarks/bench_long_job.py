"""A long PDF as a job with Tesseract behind nginx with its default timeouts, and other requests meanwhile.

Prints the p95 of the requests without and with the job, and the time of the job.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import httpx

from tests.nginx import RunningNginx
from tests.running import ROOT, RunningService
from tests.samples import pdf_of_text

SCAN = (ROOT / "examples/scan.jpg").read_bytes()
# The timeouts are those of nginx by default, 60 s.
_SERVER = """
    server {
        listen 80;
        client_max_body_size 50m;
        location / { proxy_pass http://127.0.0.1:8081; }
    }
"""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pages", type=int, default=300)
    parser.add_argument("--requests", type=int, default=40)
    chosen = parser.parse_args()
    document = pdf_of_text([f"Страница {number} договора" for number in range(1, chosen.pages + 1)])
    with tempfile.TemporaryDirectory(prefix="bench-long-job-") as name:
        folder = Path(name)
        with (
            RunningService(OCR_OUTPUT_DIR=str(folder / "output")) as service,
            RunningNginx(folder, _SERVER, service.url) as proxy,
        ):
            measure(f"http://127.0.0.1:{proxy.port}", document, chosen.requests)


def measure(url: str, document: bytes, count: int) -> None:
    """Measure requests without a job and beside one, and the job."""
    with httpx.Client(base_url=url, timeout=600) as client:
        wait_for_jobs(client)
        alone = [request(client) for _ in range(count)]
        began = time.perf_counter()
        submitted = client.post("/jobs", files={"file": document}, data={"store": "false"})
        job = submitted.raise_for_status().json()["id"]
        beside = [request(client) for _ in range(count)]
        state = client.get(f"/jobs/{job}").json()
        print(f"requests alone: p95 {p95(alone):.2f} s; beside the job: p95 {p95(beside):.2f} s, ", end="")
        print(f"{p95(beside) / p95(alone):.2f} times; then {state['pages_done']} pages were read", flush=True)
        with client.stream("GET", f"/jobs/{job}/events") as events:
            last = [line for line in events.iter_lines() if line.startswith("event: ")][-1]
        status = client.get(f"/jobs/{job}").json()
        print(f"job: {last}, {status['pages_done']} pages, {time.perf_counter() - began:.0f} s")


def wait_for_jobs(client: httpx.Client) -> None:
    """Return when the database of the jobs is open; fail if it does not open within a minute."""
    deadline = time.monotonic() + 60
    while client.get("/jobs").status_code == 503:
        assert time.monotonic() < deadline, "the database of the jobs does not open"
        time.sleep(0.1)


def request(client: httpx.Client) -> float:
    """Read one page, and return the seconds."""
    began = time.perf_counter()
    client.post("/ocr", files={"file": SCAN}, data={"store": "false"}).raise_for_status()
    return time.perf_counter() - began


def p95(seconds: list[float]) -> float:
    """Return the 95th percentile."""
    return statistics.quantiles(seconds, n=20)[-1]


if __name__ == "__main__":
    main()
