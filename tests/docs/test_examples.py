"""The documentation examples run and give the responses that are shown."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from tests.docs.pages import DOCS, ENGLISH, README, RUSSIAN, Page
from tests.running import ROOT, RunningService
from tests.streams import events_of

# Fields that differ between runs.
_PASSING = {"request_id", "timings", "uptime_seconds", "cached", "recent_pages"}


@dataclass(frozen=True)
class Example:
    command: str
    kind: str
    answer: str


def examples(page: Page) -> list[Example]:
    return [
        Example(command.text, answer.language, answer.text)
        for command, answer in pairwise(page.blocks)
        if command.language == "bash" and command.text.startswith("curl")
    ]


EXAMPLES = [example for page in ENGLISH for example in examples(page)]


def without_changing_fields(value: Any) -> Any:
    """Drop the fields that differ between runs."""
    if isinstance(value, dict):
        return {name: without_changing_fields(part) for name, part in value.items() if name not in _PASSING}
    return [without_changing_fields(part) for part in value] if isinstance(value, list) else value


def about(value: Any) -> Any:
    """Allow for the small differences between processors."""
    if isinstance(value, dict):
        return {name: about(part) for name, part in value.items()}
    if isinstance(value, list):
        return [about(part) for part in value]
    return pytest.approx(value, abs=0.03) if isinstance(value, float) else value


def parsed(kind: str, answer: str) -> Any:
    if kind == "json":
        return json.loads(answer)
    if kind == "ndjson":
        return events_of(answer)
    return answer


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example.command))
def test_commands_give_the_answers_that_are_shown(running: RunningService, example: Example) -> None:
    command = shlex.split(example.command.replace("localhost:8081", running.url))
    done = subprocess.run([*command, "--silent"], cwd=ROOT, capture_output=True, text=True, check=True)
    shown, answered = parsed(example.kind, example.answer), parsed(example.kind, done.stdout)
    assert without_changing_fields(answered) == about(without_changing_fields(shown))


PROGRAMS = {"python": [sys.executable, "-"], "javascript": ["node", "--input-type=module", "-"]}
COMPILED = ["go", "java", "csharp"]
SHORT_LINES = 6


def first(page: Page, language: str) -> str:
    """Return the first block of a page in a language."""
    return next(block.text for block in page.blocks if block.language == language)


@pytest.mark.parametrize("language", PROGRAMS)
def test_programs_print_the_markdown_that_is_shown(running: RunningService, language: str) -> None:
    command = PROGRAMS[language]
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    source = first(README, language).replace("http://localhost:8081", running.url)
    done = subprocess.run(command, cwd=ROOT, input=source, capture_output=True, text=True, timeout=120)
    assert (done.stdout.strip(), done.returncode) == (first(README, "markdown"), 0), done.stderr


@pytest.mark.parametrize("language", COMPILED)
def test_compiled_programs_are_parts_of_those_that_are_run(language: str) -> None:
    """`make test-clients` runs the whole programs."""
    whole = first(Page(DOCS / "clients.md"), language)
    assert unindented(first(README, language)) in unindented(whole)


def unindented(program: str) -> str:
    return "\n".join(line.strip() for line in program.splitlines())


def test_readme_has_a_short_program_in_each_language() -> None:
    shown = [block for block in README.blocks if block.language in (*PROGRAMS, *COMPILED)]
    assert [block.language for block in shown] == [*PROGRAMS, *COMPILED]
    assert max(len(block.text.splitlines()) for block in shown) <= SHORT_LINES


def test_every_example_has_its_answer() -> None:
    assert len(EXAMPLES) == sum(page.text.count("```bash\ncurl") for page in ENGLISH) >= 4


@pytest.mark.parametrize("pages", [ENGLISH, RUSSIAN], ids=["English", "Russian"])
def test_make_targets_exist(pages: list[Page]) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = {name for page in pages for name in re.findall(r"(?:`|^)make ([a-z-]+)", page.text, re.MULTILINE)}
    assert {"run", "test"} <= named <= set(targets)
