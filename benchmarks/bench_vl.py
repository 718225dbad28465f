"""Pages per second with PaddleOCR-VL: this service, the official servers, and the upper bound of the VLM.

All use the same stand-in for vLLM, which has its timing, and the servers use the same stand-in for the
layout model; see `tests/stand_ins`. The upper bound replays the VLM calls of this service from a minimal
client: with the same VLM, no server can be faster. The official pipeline is called by `paddlex --serve`, and
in batches of pages, as Triton does it (`vl_batches.py`).
"""

import asyncio
import base64
import importlib.util
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import httpx
import yaml

from benchmarks import Progress, say
from benchmarks.processes import cpu_seconds, peak_rss_mib
from benchmarks.vl_stage import BLOCKS, models_and_vllm, page_files, service_on
from ocr_service.runtime.cores import usable_cores
from tests.running import RunningProgram, RunningService, RunningVllm, free_port

DIFFERENT_PAGES = 32
# Number of clients, and the pages that each contender reads with them: half a minute to a minute.
LEVELS = {1: 16, 4: 64, 16: 192, 32: 480}
OFFICIAL_LEVELS = {1: 8, 4: 16, 16: 32, 32: 64}
BATCH_LEVELS = {1: 8, 4: 32, 16: 96, 32: 128}

Send = Callable[[aiohttp.ClientSession, int], Awaitable[None]]


@dataclass(frozen=True)
class Contender:
    """send: reads page number n and checks the result. pid: process whose CPU and memory count, or None."""

    name: str
    send: Send
    levels: dict[int, int]
    pid: int | None = None


@dataclass(frozen=True)
class Score:
    """One contender at one level: pages per second, seconds per page, CPU milliseconds per page."""

    speed: float
    times: list[float]
    cpu: float | None

    @property
    def median(self) -> float:
        """Median latency of a page in milliseconds."""
        return statistics.median(self.times) * 1000

    @property
    def p95(self) -> float:
        """95th percentile of the latency of a page in milliseconds."""
        return sorted(self.times)[int(len(self.times) * 0.95)] * 1000


def official_server(vllm: RunningVllm, models: dict[str, str], folder: Path) -> RunningProgram:
    """Prepare `paddlex --serve` with the shipped pipeline; only the URL of its VLM is changed."""
    package = importlib.util.find_spec("paddlex")
    assert package is not None and package.origin is not None
    shipped = Path(package.origin).parent / "configs/pipelines/PaddleOCR-VL-1.6.yaml"
    config = yaml.safe_load(shipped.read_text())
    config["SubModules"]["VLRecognition"]["genai_config"] = {
        "backend": "vllm-server",
        "server_url": vllm.api,
    }
    pipeline = folder / "pipeline.yaml"
    pipeline.write_text(yaml.safe_dump(config))
    options = ["--pipeline", str(pipeline), "--engine", "onnxruntime", "--device", "cpu"]
    address = ["--host", "127.0.0.1", "--port", str(free_port())]
    return RunningProgram(
        [str(Path(sys.executable).with_name("paddlex")), "--serve", *options, *address], **models
    )


def batching_server(vllm: RunningVllm, models: dict[str, str]) -> RunningProgram:
    """Prepare the official pipeline that reads up to eight pages at a time."""
    command = [sys.executable, "-m", "benchmarks.vl_batches", "--vlm-url", vllm.api]
    return RunningProgram(command, **models)


def send_to_service(url: str, files: list[bytes]) -> Send:
    """Read a page with `POST /ocr`."""

    async def send(session: aiohttp.ClientSession, number: int) -> None:
        form = aiohttp.FormData()
        form.add_field("file", files[number], filename="page.jpg")
        async with session.post(f"{url}/ocr", data=form) as answer:
            assert answer.status == 200, await answer.text()
            [page] = (await answer.json())["pages"]
        assert sum(bool(block["content"]) for block in page["blocks"]) == BLOCKS

    return send


def send_to_official(url: str, files: list[bytes]) -> Send:
    """Read a page with `POST /layout-parsing`, on the official server or this service."""
    encoded = [base64.b64encode(file).decode() for file in files]

    async def send(session: aiohttp.ClientSession, number: int) -> None:
        request = {"file": encoded[number], "fileType": 1, "visualize": False}
        async with session.post(f"{url}/layout-parsing", json=request) as answer:
            assert answer.status == 200, await answer.text()
            [page] = (await answer.json())["result"]["layoutParsingResults"]
        blocks = page["prunedResult"]["parsing_res_list"]
        assert sum(bool(block["block_content"]) for block in blocks) == BLOCKS

    return send


def replay(api: str, calls: list[list[bytes]]) -> Send:
    """Send the VLM calls of a page in parallel, and nothing else."""

    async def call(session: aiohttp.ClientSession, body: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        async with session.post(f"{api}/chat/completions", data=body, headers=headers) as answer:
            assert answer.status == 200
            await answer.read()

    async def send(session: aiohttp.ClientSession, number: int) -> None:
        await asyncio.gather(*(call(session, body) for body in calls[number]))

    return send


def record_calls(service: RunningService, vllm: RunningVllm, files: list[bytes]) -> list[list[bytes]]:
    """Read each page alone; return the request bodies that the service sent to the VLM."""
    calls = []
    progress = Progress("pages whose calls are recorded", len(files))
    for file in files:
        vllm.record()
        service.client.post("/ocr", files={"file": file}).raise_for_status()
        calls.append([body.encode() for body in vllm.recorded()])
        assert len(calls[-1]) == BLOCKS
        progress.step()
    return calls


async def measure(contender: Contender, clients: int, pages: int) -> Score:
    """Let clients read pages, each one page at a time, until all are read."""
    numbers = iter([number % DIFFERENT_PAGES for number in range(pages)])
    times: list[float] = []
    progress = Progress(f"{clients} clients: {contender.name}, pages", pages)

    async def client(session: aiohttp.ClientSession) -> None:
        for number in numbers:
            began = time.perf_counter()
            await contender.send(session, number)
            times.append(time.perf_counter() - began)
            progress.step()

    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=timeout, trust_env=False
    ) as session:
        cpu = cpu_seconds(contender.pid) if contender.pid else 0.0
        began = time.perf_counter()
        await asyncio.gather(*(client(session) for _ in range(clients)))
        taken = time.perf_counter() - began
    spent = (cpu_seconds(contender.pid) - cpu) / pages * 1000 if contender.pid else None
    return Score(pages / taken, times, spent)


def run(contenders: list[Contender]) -> dict[int, dict[str, Score]]:
    """Run all contenders at every level, one after the other."""
    scores: dict[int, dict[str, Score]] = {}
    for clients in LEVELS:
        scores[clients] = {}
        for contender in contenders:
            score = asyncio.run(measure(contender, clients, contender.levels[clients]))
            say(f"{clients} clients: {contender.name}: {score.speed:.2f} pages/s")
            scores[clients][contender.name] = score
    return scores


def main() -> None:
    """Start all processes, run the contenders, print the table."""
    say("drawing the pages, starting all processes")
    files = page_files(DIFFERENT_PAGES)
    with (
        tempfile.TemporaryDirectory() as folder,
        models_and_vllm() as (models, vllm),
        service_on(models, vllm) as service,
        official_server(vllm, models, Path(folder)) as official,
        batching_server(vllm, models) as batching,
    ):
        httpx.get(f"{official.url}/health").raise_for_status()
        calls = record_calls(service, vllm, files)
        contenders = [
            Contender("the VLM alone", replay(vllm.api, calls), LEVELS),
            Contender("this service", send_to_service(service.url, files), LEVELS, service.process.pid),
            Contender(
                "its /layout-parsing", send_to_official(service.url, files), LEVELS, service.process.pid
            ),
            Contender(
                "paddlex --serve",
                send_to_official(official.url, files),
                OFFICIAL_LEVELS,
                official.process.pid,
            ),
            Contender(
                "official pipeline, batches of 8",
                send_to_official(batching.url, files),
                BATCH_LEVELS,
                batching.process.pid,
            ),
        ]
        scores = run(contenders)
        peaks = {c.name: peak_rss_mib(c.pid) for c in contenders if c.pid}
    print_table(scores, peaks)


def print_table(scores: dict[int, dict[str, Score]], peaks: dict[str, float]) -> None:
    """Print the results, and the ratio of this service to the others."""
    print(f"\n{BLOCKS} blocks per page, {usable_cores()} cores shared by all processes\n")
    print("| clients | | pages/s | p50 ms | p95 ms | CPU ms per page | this service / this |")
    print("|---|---|---|---|---|---|---|")
    for clients, level in scores.items():
        ours = level["this service"].speed
        for name, score in level.items():
            cpu = "" if score.cpu is None else f"{score.cpu:.0f}"
            ratio = "" if name == "this service" else f"{ours / score.speed:.2f}"
            figures = f"{score.speed:.2f} | {score.median:.0f} | {score.p95:.0f} | {cpu} | {ratio}"
            print(f"| {clients} | {name} | {figures} |")
    alone = scores[1]["the VLM alone"].median
    print()
    for name, peak in peaks.items():
        over = scores[1][name].median - alone
        print(f"{name}: {over:.0f} ms more than the VLM alone for one client (p50); peak RSS {peak:.0f} MiB")


if __name__ == "__main__":
    main()
