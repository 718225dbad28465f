"""Values of JSON are written in pieces, as pydantic writes them whole, and released in pieces."""

import math
import random
from typing import Any

import pytest
from pydantic_core import to_json

from ocr_service.api.answers import pieces
from ocr_service.api.answers.layout_parsing import LayoutParsingResult, MarkdownData, restructured_json
from ocr_service.api.answers.pieces import json_of
from ocr_service.core.documents import WarningCode
from ocr_service.runtime.memory import joined, release

SCALARS = [None, True, 7, -1.5, math.nan, "", 'Договор "№ 1"', "\u2028", 2**70, WarningCode.TRUNCATED]


def value_of(source: random.Random, depth: int) -> Any:
    kind = source.randrange(4) if depth else 0
    if not kind:
        return source.choice(SCALARS)
    parts = [value_of(source, depth - 1) for _ in range(source.randrange(4))]
    if kind == 1:
        return {f'name "{number}"': part for number, part in enumerate(parts)}
    return parts


def test_value_is_written_as_pydantic_writes_it() -> None:
    source = random.Random(1)
    for _ in range(500):
        value = value_of(source, 6)
        assert json_of(value) == to_json(value, inf_nan_mode="null")


def test_page_is_written_as_pydantic_writes_it() -> None:
    pruned = {"a": [{"b": None}, [[{}]]], "{}": 'x"prunedResult":{}'}
    page = LayoutParsingResult(
        pruned_result=pruned, markdown=MarkdownData(text="{}", images={"a.jpg": "YQ=="}), input_image="{}"
    )
    written = page.model_dump_json(exclude_none=True)
    answer = joined(list(restructured_json("id", [page, page])))
    assert (
        answer
        == (
            '{"logId":"id","errorCode":0,"errorMsg":"Success",'
            f'"result":{{"layoutParsingResults":[{written},{written}]}}}}'
        ).encode()
    )


def test_parts_with_objects_are_not_written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Any] = []

    def recording(value: Any, **options: Any) -> bytes:
        written.append(value)
        return to_json(value, **options)

    monkeypatch.setattr(pieces, "to_json", recording)
    block = {"bbox": [1, 2], "points": [[1, 2], [3, 4]]}
    json_of({"blocks": [block] * 3, "boxes": {"list": [block] * 2}})
    assert written == ["blocks", block, block, block, "boxes", "list", block, block]


def test_values_are_released_from_the_outside() -> None:
    inner, points = {"c": 1}, [[1], [2]]
    outer = {"a": [inner, [inner]], "b": points}
    values: list[Any] = [outer, "text", object(), inner]
    release(values)
    assert (values, outer, inner, points) == ([], {}, {}, [])
