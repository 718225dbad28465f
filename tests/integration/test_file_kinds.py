"""Rare kinds of files and truncated files, in each form of the answer."""

import json
from base64 import b64encode

import pytest

from tests.file_kinds import LINE, truncated_jpeg, whole_files
from tests.running import RunningService


def texts(running: RunningService, data: bytes) -> list[str]:
    """Return the text of the document as JSON, as Markdown, from a stream, and from /layout-parsing."""

    def read(wanted: str) -> str:
        answer = running.client.post("/ocr", files={"file": data}, headers={"Accept": wanted})
        return answer.raise_for_status().text

    lines = [json.loads(line) for line in read("application/x-ndjson").splitlines()]
    body = {"file": b64encode(data).decode(), "visualize": False}
    result = running.client.post("/layout-parsing", json=body).raise_for_status().json()["result"]
    return [
        json.loads(read("application/json"))["text"],
        read("text/markdown"),
        *(line["page"]["text"] for line in lines if line["event"] == "page"),
        *(page["markdown"]["text"] for page in result["layoutParsingResults"]),
    ]


@pytest.mark.parametrize("kind", whole_files())
def test_rare_kind_of_file_is_read(running: RunningService, kind: str) -> None:
    assert texts(running, whole_files()[kind]) == [LINE] * 4


def test_first_part_of_a_truncated_scan_is_read(running: RunningService) -> None:
    found = texts(running, truncated_jpeg())
    assert len(found) == 4
    assert all(text.startswith(LINE) for text in found), found
