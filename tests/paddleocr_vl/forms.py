"""A document of one page: its picture for the engine, and its Markdown in each form of the answer."""

import json
from base64 import b64encode

import httpx
from PIL import Image

from ocr_service.decoding.limits import Limits
from ocr_service.decoding.opening import open_document
from tests.streams import events_of

LIMITS = Limits(100_000_000, max_page_side=1_000_000)


async def decoded(data: bytes) -> Image.Image:
    """Return the page as PaddleOCR-VL gets it."""
    async with open_document(data, dpi=144, mode="RGB", limits=LIMITS) as document:
        return (await document.page(1)).image


def markdown_in_each_form(client: httpx.Client, file: bytes) -> list[str]:
    """Return it as JSON, as Markdown, as a stream, and from /layout-parsing. The page is one block."""

    def sent(wanted: str) -> str:
        fields = {"use_layout_detection": "false"}
        answer = client.post("/ocr", files={"file": file}, data=fields, headers={"Accept": wanted})
        return answer.raise_for_status().text

    events = events_of(sent("application/x-ndjson"))
    [page] = [event["page"] for event in events if event["event"] == "page"]
    body = {"file": b64encode(file).decode(), "useLayoutDetection": False, "visualize": False}
    result = client.post("/layout-parsing", json=body).raise_for_status().json()["result"]
    [parsed] = result["layoutParsingResults"]
    return [
        json.loads(sent("application/json"))["markdown"],
        sent("text/markdown"),
        page["markdown"],
        parsed["markdown"]["text"],
    ]
