"""Throughput of one service with three vLLM servers of different speed, beside the sum of each alone.

The stand-ins for vLLM are slow, so that they are the limit and not the cores of this machine. In the last
part one server is killed while pages are read. Every page is compared with its first reading.
"""

import argparse
import asyncio
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp

from benchmarks import say
from benchmarks.vl_stage import models_and_vllm, page_files, service_on
from ocr_service.runtime.cores import usable_cores
from tests.running import RunningService, RunningVllm

CLIENTS = 32
DIFFERENT_PAGES = 12
# Milliseconds of a step, in which each of the 16 slots of a server generates a token.
STEPS = {"quick": 10, "medium": 20, "slow": 40}
SLOTS = 16
KILLED = "medium"


@dataclass(frozen=True)
class Score:
    """tokens: generated per second. pages: read. wrong: pages that failed or have another text."""

    tokens: float
    pages: int
    wrong: int


class Readers:
    """Clients that read pages without a pause, and compare their texts with the first reading.

    pages: read so far. wrong: pages of these that failed or have another text.
    """

    def __init__(self, files: Sequence[bytes]) -> None:
        self._files = files
        self._texts: list[Any] = []
        self.pages = self.wrong = 0

    def read_first(self, service: RunningService) -> None:
        """Read every page once, with one client; the engine is built before the measurements."""
        texts = []
        for file in self._files:
            answer = service.client.post("/ocr", files={"file": file}).raise_for_status()
            texts.append(_texts_of(answer.json()))
        assert self._texts in ([], texts), "a page is read differently"
        self._texts = texts

    async def run(self, url: str, seconds: float) -> None:
        """Read until the time is over; pages in progress are dropped."""
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            clients = [asyncio.create_task(self._read(session, url, number)) for number in range(CLIENTS)]
            await asyncio.sleep(seconds)
            for client in clients:
                client.cancel()
            await asyncio.gather(*clients, return_exceptions=True)

    async def _read(self, session: aiohttp.ClientSession, url: str, number: int) -> None:
        while True:
            page = number % len(self._files)
            form = aiohttp.FormData()
            form.add_field("file", self._files[page], filename="page.jpg")
            async with session.post(f"{url}/ocr", data=form) as answer:
                read = await answer.json() if answer.status == HTTPStatus.OK else None
            self.pages += 1
            self.wrong += read is None or _texts_of(read) != self._texts[page]
            number += CLIENTS + 1


def _texts_of(answer: Any) -> list[Any]:
    return [(block["content"], block["error"]) for page in answer["pages"] for block in page["blocks"]]


def tokens_of(servers: Sequence[RunningVllm]) -> int:
    """Return the tokens of all answered calls; a killed server has none."""
    tokens = 0
    for server in servers:
        with suppress(Exception):
            tokens += server.stats()["tokens"]
    return tokens


async def measure(url: str, servers: Sequence[RunningVllm], readers: Readers, seconds: float) -> Score:
    """Read for a third of the time without a measurement, then measure."""
    readers.pages = readers.wrong = 0
    reading = asyncio.create_task(readers.run(url, seconds * 4 / 3))
    await asyncio.sleep(seconds / 3)
    before, began = await asyncio.to_thread(tokens_of, servers), time.perf_counter()
    await reading
    spent = time.perf_counter() - began
    after = await asyncio.to_thread(tokens_of, servers)
    return Score((after - before) / spent, readers.pages, readers.wrong)


async def measure_a_loss(
    url: str, servers: Sequence[RunningVllm], killed: RunningVllm, readers: Readers, seconds: float
) -> Score:
    """Kill a server while pages are read; measure the others from then on."""
    reading = asyncio.create_task(readers.run(url, seconds / 3))
    await asyncio.sleep(seconds / 6)
    killed.kill()
    await reading
    wrong = readers.wrong
    rest = [server for server in servers if server is not killed]
    score = await measure(url, rest, readers, seconds)
    return Score(score.tokens, score.pages, score.wrong + wrong)


def main() -> None:
    """Measure and print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=60, help="length of each measurement (60)")
    seconds = options.parse_args().seconds
    say("drawing the pages, starting the stand-ins")
    readers = Readers(page_files(DIFFERENT_PAGES))
    scores: dict[str, Score] = {}
    with ExitStack() as stack:
        models, _ = stack.enter_context(models_and_vllm())
        servers = {
            name: stack.enter_context(
                RunningVllm("--step-ms", str(step), "--step-ms-each", "0", "--running", str(SLOTS))
            )
            for name, step in STEPS.items()
        }
        for name, server in servers.items():
            with service_on(models, server) as service:
                readers.read_first(service)
                scores[name] = asyncio.run(measure(service.url, [server], readers, seconds))
            say(f"{name}: {scores[name].tokens:.0f} tokens/s")
        everything = list(servers.values())
        with service_on(models, *everything) as service:
            readers.read_first(service)
            scores["all three"] = asyncio.run(measure(service.url, everything, readers, seconds))
            scores[f"after the death of {KILLED}"] = asyncio.run(
                measure_a_loss(service.url, everything, servers[KILLED], readers, seconds)
            )
    print_table(scores)


def print_table(scores: dict[str, Score]) -> None:
    """Print each figure and its ratio to the sum of the servers that take part."""
    alone = {name: scores[name].tokens for name in STEPS}
    sums = dict.fromkeys(scores, 0.0) | {"all three": sum(alone.values())}
    sums[f"after the death of {KILLED}"] = sum(alone.values()) - alone[KILLED]
    print(f"\n{CLIENTS} clients, {SLOTS} slots a server, {usable_cores()} cores shared by all processes\n")
    print("| servers | tokens/s | of the sum | pages | wrong or failed |")
    print("|---|---|---|---|---|")
    for name, score in scores.items():
        ratio = f"{score.tokens / sums[name]:.2f}" if sums[name] else ""
        print(f"| {name} | {score.tokens:.0f} | {ratio} | {score.pages} | {score.wrong} |")


if __name__ == "__main__":
    main()
