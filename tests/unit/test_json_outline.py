"""The number of values and the depth of JSON are counted without parsing it."""

import json
from typing import Any

import pytest

from ocr_service.api.requests.json_outline import MAX_DEPTH, MAX_RUN, Outline
from ocr_service.api.requests.long_strings import extract_long_strings
from ocr_service.core.errors import MalformedBody, TooManyBytes

MIB = 2**20


def checked(text: str, max_values: int) -> Outline:
    outline = Outline(max_values)
    extract_long_strings(text.encode(), MIB, outline)
    return outline


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (1, 1),
        ("a,[]{}", 1),
        ({"a": 1, "b,": "\"],[\\"}, 3),
        ([[1], [], [2]], 7),  # an empty list counts twice
        ({"a": [{"b": "x" * 70_000}, ",,,,"]}, 5),
    ],
)  # fmt: skip
def test_values_are_counted_outside_of_strings(value: Any, count: int) -> None:
    text = json.dumps(value)
    checked(text, count)
    with pytest.raises(TooManyBytes):
        checked(text, count - 1)


@pytest.mark.parametrize("value", ["[]", "1", '"a"'])
def test_values_in_a_row_are_counted(value: str) -> None:
    """The parser holds the interpreter lock until the next object."""
    row = ",".join([value] * (MAX_RUN // 2 - 1))
    checked(f"[[{row}], {{}}, [{row}]]", 3 * MAX_RUN)
    longer = ",".join([value] * (MAX_RUN + 1))
    with pytest.raises(TooManyBytes, match="row"):
        checked(f"[{{}}, {longer}]", 3 * MAX_RUN)


def test_count_ends_soon_after_the_limit() -> None:
    """Other threads wait while a chunk is counted."""
    outline = Outline(10)
    with pytest.raises(TooManyBytes):
        outline.add(b"[]," * MIB)
    assert outline.memory < 128 * MIB / 2


def test_scan_ends_soon_after_the_limit() -> None:
    """The rest of a large body is not even copied."""
    outline = Outline(10)
    with pytest.raises(TooManyBytes):
        extract_long_strings(b"[" + b'[],"",' * 100_000 + b"0]", MIB, outline)
    # One window of the scan, of a body with 40 times as much.
    assert outline.memory < 2 * MIB


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
def test_depth_is_counted(opening: str, closing: str) -> None:
    levels = MAX_DEPTH // (2 if opening[:2] == "[{" else 1)
    checked(opening * levels + "1" + closing * levels, 1000)
    with pytest.raises(MalformedBody):
        checked(opening * (levels + 1) + "1" + closing * (levels + 1), 1000)


@pytest.mark.parametrize("text", ["[", "]", "[}}", "][", '{"a', '"'])
def test_brackets_and_quotes_must_match(text: str) -> None:
    with pytest.raises(MalformedBody):
        checked(text, 1000)
