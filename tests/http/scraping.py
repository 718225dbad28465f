"""Scrapes of `/metrics`, and the change between two of them, as all apps of a process share its counters."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

Series = tuple[str, ...]
"""Label values of a series, sorted by label name."""


class Scrape:
    """A response of `/metrics`. text: its body."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._values: dict[str, dict[Series, float]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                series = tuple(value for _, value in sorted(sample.labels.items()))
                self._values.setdefault(sample.name, {})[series] = sample.value

    def of(self, name: str) -> Mapping[Series, float]:
        """Return the value of every series with this name."""
        return self._values.get(name, {})

    def since(self, before: "Scrape", name: str) -> Mapping[Series, float]:
        """Return the increase of every changed series, except the request count of `/metrics` itself."""
        earlier = before.of(name)
        grown = {series: value - earlier.get(series, 0) for series, value in self.of(name).items()}
        return {series: by for series, by in grown.items() if by and "/metrics" not in series}


async def scrape(client: httpx.AsyncClient) -> Scrape:
    return Scrape((await client.get("/metrics")).raise_for_status().text)


async def until_grown(
    client: httpx.AsyncClient, before: Scrape, name: str, expected: Mapping[Any, float]
) -> Scrape:
    """Scrape until the increase matches, as a request is counted after its response; return the scrape."""
    async with asyncio.timeout(120):
        while (seen := await scrape(client)).since(before, name) != expected:
            await asyncio.sleep(0.02)
    return seen
