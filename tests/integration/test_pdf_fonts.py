"""A PDF in Russian whose font is not embedded, in each form of the answer."""

import json
from base64 import b64encode

from tests.pdf_fonts import by_differences, pdf_of_lines
from tests.running import RunningService
from tests.streams import events_of

TEXT = "Накладная номер 4471 принята"
PDF = pdf_of_lines(["ArialMT"], TEXT, by_differences)


def test_text_of_a_font_that_is_not_embedded_is_read(running: RunningService) -> None:
    def read(wanted: str) -> str:
        fields = {"text_layer": "never"}
        answer = running.client.post("/ocr", files={"file": PDF}, data=fields, headers={"Accept": wanted})
        return answer.raise_for_status().text

    assert json.loads(read("application/json"))["text"] == TEXT
    assert read("text/markdown") == TEXT
    events = events_of(read("application/x-ndjson"))
    assert [event["page"]["text"] for event in events if event["event"] == "page"] == [TEXT]
    body = {"file": b64encode(PDF).decode(), "fileType": 0, "visualize": False, "textLayer": "never"}
    result = running.client.post("/layout-parsing", json=body).raise_for_status().json()["result"]
    assert [page["markdown"]["text"] for page in result["layoutParsingResults"]] == [TEXT]
