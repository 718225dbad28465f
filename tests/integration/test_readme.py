"""The READMEs say what is so: their commands run, their answers come, their tables match the code."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import httpx
import pytest
from pydantic.fields import FieldInfo

from ocr_service import metrics
from ocr_service.config import Settings
from ocr_service.metrics import StateGauge
from ocr_service.routes.openapi import error_kinds
from ocr_service.routes.recognition_fields import RecognitionFields
from tests.deploy.variables import start_script
from tests.http.test_errors import BAD
from tests.running import ROOT, RunningService

ENGLISH = (ROOT / "README.md").read_text()
RUSSIAN = (ROOT / "README.ru.md").read_text()

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What differs from run to run.
_PASSING = {"request_id", "timings", "uptime_seconds", "cached"}


@dataclass(frozen=True)
class Example:
    command: str
    kind: str
    answer: str


def examples(readme: str) -> list[Example]:
    blocks = _BLOCK.findall(readme)
    return [
        Example(command.strip(), kind, answer.strip())
        for (shell, command), (kind, answer) in pairwise(blocks)
        if shell == "bash" and command.startswith("curl")
    ]


def rows(readme: str, columns: int) -> list[list[str]]:
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in readme.splitlines()]
    return [row for row in cells if len(row) == columns]


def lasting(value: Any) -> Any:
    """Leave out what differs from run to run."""
    if isinstance(value, dict):
        return {name: lasting(part) for name, part in value.items() if name not in _PASSING}
    return [lasting(part) for part in value] if isinstance(value, list) else value


def about(value: Any) -> Any:
    """Allow for the little by which processors differ."""
    if isinstance(value, dict):
        return {name: about(part) for name, part in value.items()}
    if isinstance(value, list):
        return [about(part) for part in value]
    return pytest.approx(value, abs=0.03) if isinstance(value, float) else value


def parsed(kind: str, answer: str) -> Any:
    if kind == "json":
        return json.loads(answer)
    if kind == "ndjson":
        return [json.loads(line) for line in answer.splitlines()]
    return answer


@pytest.mark.parametrize("example", examples(ENGLISH), ids=lambda example: str(example.command))
def test_commands_give_the_answers_that_are_shown(running: RunningService, example: Example) -> None:
    command = shlex.split(example.command.replace("localhost:8081", running.url))
    done = subprocess.run([*command, "--silent"], cwd=ROOT, capture_output=True, text=True, check=True)
    shown, answered = parsed(example.kind, example.answer), parsed(example.kind, done.stdout)
    assert lasting(answered) == about(lasting(shown))


def test_every_example_has_its_answer() -> None:
    assert len(examples(ENGLISH)) == ENGLISH.count("```bash\ncurl") >= 4


@pytest.mark.parametrize("readme", [ENGLISH, RUSSIAN], ids=["English", "Russian"])
def test_make_targets_exist(readme: str) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = re.findall(r"(?:`|^)make ([a-z-]+)", readme, re.MULTILINE)
    assert {"run", "test"} <= set(named) <= set(targets)


def setting_rows(readme: str, columns: int) -> list[list[str]]:
    return [row[:columns] for row in rows(readme, 3) if re.match("`(OCR|CLOUDRU)_", row[0])]


def start_rows(readme: str) -> list[list[str]]:
    return [row[:2] for row in rows(readme, 3) if row[0].strip("`") in start_script()]


def default(field: FieldInfo) -> str:
    return "" if field.default is None else f"`{field.default}`"


def test_table_of_settings_is_that_of_the_code() -> None:
    in_code = [[f"`{n.upper()}`", default(f), f.description] for n, f in Settings.model_fields.items()]
    assert setting_rows(ENGLISH, columns=3) == in_code


@pytest.mark.parametrize("readme", [ENGLISH, RUSSIAN], ids=["English", "Russian"])
def test_table_of_the_start_script_is_that_of_the_script(readme: str) -> None:
    in_script = [[f"`{name}`", f"`{value}`" if value else ""] for name, value in start_script().items()]
    assert start_rows(readme) == in_script


def test_table_of_options_is_that_of_the_code() -> None:
    in_code = [[f"`{name}`", field.description] for name, field in RecognitionFields.model_fields.items()]
    english, russian = (
        [row for row in rows(readme, 2) if row[0].strip("`") in RecognitionFields.model_fields]
        for readme in (ENGLISH, RUSSIAN)
    )
    assert english == in_code
    assert [row[0] for row in russian] == [row[0] for row in in_code]


def metric_rows(readme: str) -> list[list[str]]:
    return [row for row in rows(readme, 4) if row[0].startswith("`ocr_")]


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


def test_table_of_errors_holds_every_bad_input_that_is_tested() -> None:
    table = {row[0]: (row[1], row[2]) for row in rows(ENGLISH, 3)}
    assert {bad.name: (str(bad.status), f"`{bad.code}`") for bad in BAD}.items() <= table.items()


@pytest.mark.parametrize("readme", [ENGLISH, RUSSIAN], ids=["English", "Russian"])
def test_table_of_errors_holds_every_error_of_the_code(readme: str) -> None:
    listed = {(row[1], row[2]) for row in rows(readme, 3)}
    assert {(str(error.status), f"`{error.code}`") for error in error_kinds()} <= listed


def test_russian_readme_shows_the_same_commands_answers_settings_and_errors() -> None:
    assert _BLOCK.findall(RUSSIAN) == _BLOCK.findall(ENGLISH)
    assert setting_rows(RUSSIAN, columns=2) == setting_rows(ENGLISH, columns=2)
    assert [row[1:] for row in rows(RUSSIAN, 3) if row[1].isdigit()] == [
        row[1:] for row in rows(ENGLISH, 3) if row[1].isdigit()
    ]
