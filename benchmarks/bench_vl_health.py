"""Latency of `/health` with PaddleOCR-VL: while it is imported and built, and while many pages are read."""

import httpx

from benchmarks import say
from benchmarks.probing import print_milliseconds, probe_during
from benchmarks.vl_stage import models_and_vllm, page_files, service_on
from ocr_service.runtime.cores import usable_cores

BUILDS = 5
BUILD_PROBES = 600
LOAD_PROBES = 2000
CLIENTS = 32


def main() -> None:
    """Measure and print the table."""
    say("drawing the pages, starting the stand-ins")
    files = page_files(8)
    building: list[float] = []
    with models_and_vllm() as (models, vllm):

        def read(client: httpx.Client) -> None:
            client.post("/ocr", files={"file": files[0]}).raise_for_status()

        for number in range(BUILDS):
            with service_on(models, vllm) as service:
                building += probe_during(service.url, BUILD_PROBES, read, callers=1)
            say(f"build {number + 1} of {BUILDS}")
        with service_on(models, vllm) as service:
            read(service.client)
            reading = probe_during(service.url, LOAD_PROBES, read, CLIENTS)
    print(f"\n{usable_cores()} cores\n")
    print_milliseconds(
        {
            f"/health, first request imports and builds ({BUILDS} times)": building,
            f"/health, {CLIENTS} callers read pages": reading,
        }
    )


if __name__ == "__main__":
    main()
