"""The tables of the documentation match the code."""

import re
from collections.abc import Iterable

import httpx
import pytest
from prometheus_client.metrics import MetricWrapperBase

from ocr_service.api import state_metrics
from ocr_service.api.requests.recognition_fields import RecognitionFields
from ocr_service.api.state_metrics import StateCounter, StateGauge
from ocr_service.core.documents import WarningCode
from ocr_service.core.errors import error_kinds
from ocr_service.telemetry import metrics
from tests.deploy.variables import start_script
from tests.docs.pages import ENGLISH, RUSSIAN, Page, rows
from tests.http.test_errors import BAD
from tests.running import ROOT

BOTH = pytest.mark.parametrize("pages", [ENGLISH, RUSSIAN], ids=["English", "Russian"])


def start_rows(pages: list[Page]) -> list[list[str]]:
    return [row[:2] for row in rows(pages) if row[0].strip("`") in start_script()]


@BOTH
def test_table_of_the_start_script_matches_it(pages: list[Page]) -> None:
    in_script = [[f"`{name}`", f"`{value}`" if value else ""] for name, value in start_script().items()]
    assert start_rows(pages) == in_script


def test_table_of_options_matches_the_code() -> None:
    in_code = [[f"`{name}`", field.description] for name, field in RecognitionFields.model_fields.items()]
    english, russian = (
        [row for row in rows(pages) if row[0].strip("`") in RecognitionFields.model_fields]
        for pages in (ENGLISH, RUSSIAN)
    )
    assert english == in_code
    assert [row[0] for row in russian] == [row[0] for row in in_code]


def metric_rows(pages: list[Page]) -> list[list[str]]:
    return [row for row in rows(pages) if row[0].startswith("`ocr_")]


def labels_of(name: str) -> str:
    """Return a metric's label names from the code, because a metric may have no series yet."""
    for metric in (*vars(state_metrics).values(), *vars(metrics).values()):
        if isinstance(metric, StateGauge | StateCounter) and metric.name == name:
            return in_code(metric.labels if isinstance(metric, StateGauge) else [metric.label])
        if isinstance(metric, MetricWrapperBase) and metric._name == name.removesuffix("_total"):
            return in_code(metric._labelnames)
    raise AssertionError(f"{name} is not in the code")


def in_code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def test_table_of_metrics_matches_the_service(service: httpx.Client) -> None:
    text = service.get("/metrics").text
    shown = re.findall(r"^# HELP (ocr_\w+) (.*)\n# TYPE \w+ (\w+)$", text, re.MULTILINE)
    in_table = [[f"`{name}`", kind, labels_of(name), description] for name, description, kind in shown]
    assert metric_rows(ENGLISH) == in_table
    assert [row[:3] for row in metric_rows(RUSSIAN)] == [row[:3] for row in metric_rows(ENGLISH)]


# Errors of the framework before a route is found.
FRAMEWORK = {("not_found", 404), ("method_not_allowed", 405)}


def listed_errors(pages: list[Page]) -> list[tuple[str, int]]:
    return [
        (row[0].strip("`"), int(row[1]))
        for page in pages
        if page.path.name == "errors.md"
        for table in page.tables
        for row in table
    ]


@BOTH
def test_table_of_errors_has_one_row_for_each_code(pages: list[Page]) -> None:
    in_code = {(error.code, error.status) for error in error_kinds()} | FRAMEWORK
    listed = listed_errors(pages)
    assert set(listed) == in_code
    assert len(listed) == len(in_code)


@BOTH
def test_table_of_warnings_has_one_row_for_each_code(pages: list[Page]) -> None:
    first = [row[0].strip("`") for page in pages if page.path.name == "usage.md" for row in rows([page])]
    assert [code for code in first if code in set(WarningCode)] == list(WarningCode)


def test_every_bad_input_gets_an_error_of_the_table() -> None:
    assert {(bad.code, bad.status) for bad in BAD} <= set(listed_errors(ENGLISH))


@BOTH
def test_options_of_uvicorn_match_the_start_script(pages: list[Page]) -> None:
    protocol = re.search(r"UVICORN_HTTP=(\S+)", (ROOT / "start.sh").read_text())
    assert protocol
    named = [name for page in pages for name in re.findall(r"--http (\S+?)`", page.text)]
    assert named == [protocol[1]]
