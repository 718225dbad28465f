"""Rare kinds of files and truncated files, in each form of the answer."""

import json
from base64 import b64encode
from dataclasses import dataclass

import pytest

from tests.file_kinds import LINE, truncated_jpeg, whole_files
from tests.running import RunningService
from tests.streams import events_of


@dataclass(frozen=True)
class Answers:
    """The text of a document of one page, and the codes of its warnings."""

    text: str
    warnings: list[str]


def answers(running: RunningService, data: bytes) -> list[Answers]:
    """Return the answers as JSON, as Markdown, as a stream, and from /layout-parsing."""

    def sent(wanted: str) -> tuple[str, list[str]]:
        answer = running.client.post("/ocr", files={"file": data}, headers={"Accept": wanted})
        listed = answer.raise_for_status().headers.get("X-OCR-Warnings", "")
        return answer.text, [code for code in listed.split(", ") if code]

    as_json = json.loads(sent("application/json")[0])
    events = events_of(sent("application/x-ndjson")[0])
    [page] = [event["page"] for event in events if event["event"] == "page"]
    body = {"file": b64encode(data).decode(), "visualize": False}
    result = running.client.post("/layout-parsing", json=body).raise_for_status().json()["result"]
    [parsed] = result["layoutParsingResults"]
    return [
        Answers(as_json["text"], codes(as_json)),
        Answers(*sent("text/markdown")),
        Answers(page["text"], codes(page)),
        Answers(parsed["markdown"]["text"], codes(parsed["prunedResult"])),
    ]


def codes(warned: dict[str, list[dict[str, str]]]) -> list[str]:
    return [warning["code"] for warning in warned.get("warnings", [])]


@pytest.mark.parametrize("kind", whole_files())
def test_rare_kind_of_file_is_read(running: RunningService, kind: str) -> None:
    found = answers(running, whole_files()[kind])
    assert [answer.text for answer in found] == [LINE] * 4
    assert not any("truncated_file" in answer.warnings for answer in found)


def test_first_part_of_a_truncated_scan_is_read(running: RunningService) -> None:
    found = answers(running, truncated_jpeg())
    assert all(answer.text.startswith(LINE) for answer in found), found
    assert all("truncated_file" in answer.warnings for answer in found), found
