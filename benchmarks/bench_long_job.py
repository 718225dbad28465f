"""A long PDF as a job behind nginx with its default timeouts, and other requests meanwhile, with each engine.

Prints the p95 of the requests without and with the job, and the time of the job. PaddleOCR-VL runs on
stand-ins.
"""

import argparse
import io
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from PIL import Image

from benchmarks.vl_stage import models_and_vllm, page_files
from tests.nginx import RunningNginx
from tests.running import ROOT, RunningService
from tests.samples import pdf_of_images

SCAN = (ROOT / "examples/scan.jpg").read_bytes()
ENGINES = ("tesseract", "paddleocr-vl")
# The timeouts are those of nginx by default, 60 s.
_SERVER = """
    server {
        listen 80;
        client_max_body_size 50m;
        location / { proxy_pass http://127.0.0.1:8081; }
    }
"""


def main() -> None:
    """Print the figures of each engine."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pages", type=int, default=300)
    parser.add_argument("--requests", type=int, default=40)
    parser.add_argument("--engine", choices=ENGINES, help="only this one; default: both")
    chosen = parser.parse_args()
    for engine in [chosen.engine] if chosen.engine else ENGINES:
        scan = SCAN if engine == "tesseract" else page_files(1)[0]
        # 100 dpi, because 300 pages must be smaller than the largest document.
        page = Image.open(io.BytesIO(scan)).reduce(1 if engine == "tesseract" else 2)
        document = pdf_of_images([page] * chosen.pages, dpi=100)
        with behind_nginx(engine) as url:
            print(f"{engine}, {chosen.pages} pages", flush=True)
            measure(url, document, scan, chosen.requests)


@contextmanager
def behind_nginx(engine: str) -> Iterator[str]:
    """Run the service; yield the address of nginx before it."""
    with tempfile.TemporaryDirectory(prefix="bench-long-job-") as name, engine_settings(engine) as settings:
        folder = Path(name)
        with (
            RunningService(OCR_OUTPUT_DIR=str(folder / "output"), **settings) as service,
            RunningNginx(folder, _SERVER, service.url) as proxy,
        ):
            yield f"http://127.0.0.1:{proxy.port}"


@contextmanager
def engine_settings(engine: str) -> Iterator[dict[str, str]]:
    """Start the stand-ins if the engine needs them; yield the settings of the service."""
    if engine == "tesseract":
        yield {"OCR_ENGINE": engine}
        return
    with models_and_vllm() as (models, vllm):
        yield {
            "OCR_ENGINE": engine,
            "OCR_LAYOUT_ENGINE": "onnxruntime",
            "OCR_VLM_URL": vllm.api,
            **models,
        }


def measure(url: str, document: bytes, scan: bytes, count: int) -> None:
    """Measure requests of a page without a job and beside one, and the job."""
    with httpx.Client(base_url=url, timeout=600) as client:
        wait_for_jobs(client)
        request(client, scan)
        alone = [request(client, scan) for _ in range(count)]
        began = time.perf_counter()
        submitted = client.post("/jobs", files={"file": document}, data={"store": "false"})
        job = submitted.raise_for_status().json()["id"]
        beside = [request(client, scan) for _ in range(count)]
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


def request(client: httpx.Client, scan: bytes) -> float:
    """Read one page, and return the seconds."""
    began = time.perf_counter()
    client.post("/ocr", files={"file": scan}, data={"store": "false"}).raise_for_status()
    return time.perf_counter() - began


def p95(seconds: list[float]) -> float:
    """Return the 95th percentile."""
    return statistics.quantiles(seconds, n=20)[-1]


if __name__ == "__main__":
    main()
