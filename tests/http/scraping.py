"""What `/metrics` says, and what has changed since; the counters of one process are all its apps'."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

Series = tuple[str, ...]
"""A series of one name: the values of its labels, in the order of their names."""


class Scrape:
    """One answer of `/metrics`. text: as it came."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._values: dict[str, dict[Series, float]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                series = tuple(value for _, value in sorted(sample.labels.items()))
                self._values.setdefault(sample.name, {})[series] = sample.value

    def of(self, name: str) -> Mapping[Series, float]:
        """Return the values of every series of a name."""
        return self._values.get(name, {})

    def since(self, before: "Scrape", name: str) -> Mapping[Series, float]:
        """Return by how much series have grown that have, but for the count of looks like this one."""
        earlier = before.of(name)
        grown = {series: value - earlier.get(series, 0) for series, value in self.of(name).items()}
        return {series: by for series, by in grown.items() if by and "/metrics" not in series}


async def scrape(client: httpx.AsyncClient) -> Scrape:
    return Scrape((await client.get("/metrics")).raise_for_status().text)


async def until_grown(
    client: httpx.AsyncClient, before: Scrape, name: str, expected: Mapping[Any, float]
) -> Scrape:
    """Look until the series have grown so: a request is counted after its answer. Return the last look."""
    async with asyncio.timeout(20):
        while (seen := await scrape(client)).since(before, name) != expected:
            await asyncio.sleep(0.02)
    return seen
