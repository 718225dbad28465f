"""The official pipeline as a server that reads up to eight waiting pages as one batch, in one thread.

The Triton server of PaddleOCR works so. It is called like `paddlex --serve`, and answers what the benchmark
reads.
"""

import argparse
import asyncio
import base64
import io
import queue
import threading
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.paddleocr_vl import official

MAX_BATCH = 8


class BatchingServer:
    """Decodes pages as they arrive; the thread of the pipeline takes all that wait, up to `MAX_BATCH`."""

    def __init__(self, vlm_url: str) -> None:
        self._waiting: queue.SimpleQueue[tuple[Any, asyncio.Future[Any]]] = queue.SimpleQueue()
        self._pipeline = official.pipeline(vlm_url)

    def app(self) -> Starlette:
        """Build the application."""
        return Starlette(routes=[Route("/layout-parsing", self._parse, methods=["POST"])])

    async def _parse(self, request: Request) -> JSONResponse:
        pixels = await asyncio.to_thread(_decode, (await request.json())["file"])
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.put((pixels, done))
        pruned = {"parsing_res_list": await done}
        return JSONResponse({"result": {"layoutParsingResults": [{"prunedResult": pruned}]}})

    def read_batches(self) -> None:
        """Read pages forever."""
        while True:
            batch = [self._waiting.get()]
            while len(batch) < MAX_BATCH and not self._waiting.empty():
                batch.append(self._waiting.get())
            self._read([pixels for pixels, _ in batch], [done for _, done in batch])

    def _read(self, pages: list[Any], answers: Sequence["asyncio.Future[Any]"]) -> None:
        for result, done in zip(self._pipeline.predict(pages), answers, strict=True):
            blocks = result.json["res"]["parsing_res_list"]
            done.get_loop().call_soon_threadsafe(done.set_result, blocks)


def _decode(file: str) -> Any:
    image = Image.open(io.BytesIO(base64.b64decode(file)))
    return cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2BGR)


def main() -> None:
    """Parse the command line and serve."""
    options = argparse.ArgumentParser(description="The official pipeline, in batches of up to eight pages.")
    options.add_argument("--vlm-url", required=True)
    server = BatchingServer(options.parse_args().vlm_url)
    threading.Thread(target=server.read_batches, daemon=True).start()
    uvicorn.run(server.app(), host="127.0.0.1", port=0)


if __name__ == "__main__":
    main()
