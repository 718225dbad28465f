"""The tables of the documentation match the code."""

import re
from collections.abc import Iterable

import httpx
import pytest
from pydantic.fields import FieldInfo

from ocr_service import metrics
from ocr_service.config import Settings
from ocr_service.metrics import StateGauge
from ocr_service.routes.openapi import error_kinds
from ocr_service.routes.recognition_fields import RecognitionFields
from tests.deploy.variables import start_script
from tests.docs.pages import ENGLISH, RUSSIAN, Page, rows
from tests.http.test_errors import BAD

BOTH = pytest.mark.parametrize("pages", [ENGLISH, RUSSIAN], ids=["English", "Russian"])


def setting_rows(pages: list[Page], columns: int) -> list[list[str]]:
    return [row[:columns] for row in rows(pages) if re.match("`(OCR|CLOUDRU)_", row[0])]


def start_rows(pages: list[Page]) -> list[list[str]]:
    return [row[:2] for row in rows(pages) if row[0].strip("`") in start_script()]


def default(field: FieldInfo) -> str:
    return "" if field.default is None else f"`{field.default}`"


def test_table_of_settings_is_that_of_the_code() -> None:
    in_code = [[f"`{n.upper()}`", default(f), f.description] for n, f in Settings.model_fields.items()]
    assert setting_rows(ENGLISH, columns=3) == in_code


@BOTH
def test_table_of_the_start_script_is_that_of_the_script(pages: list[Page]) -> None:
    in_script = [[f"`{name}`", f"`{value}`" if value else ""] for name, value in start_script().items()]
    assert start_rows(pages) == in_script


def test_table_of_options_is_that_of_the_code() -> None:
    in_code = [[f"`{name}`", field.description] for name, field in RecognitionFields.model_fields.items()]
    english, russian = (
        [row for row in rows(pages) if row[0].strip("`") in RecognitionFields.model_fields]
        for pages in (ENGLISH, RUSSIAN)
    )
    assert english == in_code
    assert [row[0] for row in russian] == [row[0] for row in in_code]


def metric_rows(pages: list[Page]) -> list[list[str]]:
    return [row for row in rows(pages) if row[0].startswith("`ocr_")]


def labels_of(name: str, text: str) -> str:
    """Name a metric's labels, by its series; what has none just now says so itself."""
    for gauge in vars(metrics).values():
        if isinstance(gauge, StateGauge) and gauge.name == name:
            return in_code(gauge.labels)
    series = re.findall(rf"^{name}(?:_bucket)?\{{(.*)\}} ", text, re.MULTILINE)
    return in_code({label for each in series for label in re.findall(r"(\w+)=", each)} - {"le"})


def in_code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def test_table_of_metrics_is_what_the_service_shows(service: httpx.Client) -> None:
    text = service.get("/metrics").text
    shown = re.findall(r"^# HELP (ocr_\w+) (.*)\n# TYPE \w+ (\w+)$", text, re.MULTILINE)
    in_table = [[f"`{name}`", kind, labels_of(name, text), said] for name, said, kind in shown]
    assert metric_rows(ENGLISH) == in_table
    assert [row[:3] for row in metric_rows(RUSSIAN)] == [row[:3] for row in metric_rows(ENGLISH)]


def error_rows(pages: list[Page]) -> list[list[str]]:
    return [row for row in rows(pages) if len(row) == 3 and row[1].isdigit() and row[2].startswith("`")]


def test_table_of_errors_holds_every_bad_input_that_is_tested() -> None:
    table = {row[0]: (row[1], row[2]) for row in error_rows(ENGLISH)}
    assert {bad.name: (str(bad.status), f"`{bad.code}`") for bad in BAD}.items() <= table.items()


@BOTH
def test_table_of_errors_holds_every_error_of_the_code(pages: list[Page]) -> None:
    listed = {(row[1], row[2]) for row in error_rows(pages)}
    assert {(str(error.status), f"`{error.code}`") for error in error_kinds()} <= listed


def test_russian_tables_have_the_same_settings_and_errors() -> None:
    assert setting_rows(RUSSIAN, columns=2) == setting_rows(ENGLISH, columns=2)
    assert [row[1:] for row in error_rows(RUSSIAN)] == [row[1:] for row in error_rows(ENGLISH)]
