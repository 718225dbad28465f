"""The variables that a container may be given: the settings, and those of start.sh."""

import re
from functools import cache

import pytest

from ocr_service.admission.admission import ABORT_SECONDS
from ocr_service.config import Settings, load_settings
from tests.running import ROOT

# Seconds that results may take to be stored, or put into the spool, after the last answer.
_STORING = 20


@cache
def start_script() -> dict[str, str]:
    """Return the start script's variables and their defaults."""
    lines = (ROOT / "start.sh").read_text()
    return dict(re.findall(r'^: "\$\{(\w+):=(.*)\}"$', lines, re.MULTILINE))


def known_variables() -> set[str]:
    return {name.upper() for name in Settings.model_fields} | set(start_script())


def seconds_to_stop(environment: dict[str, str]) -> int:
    """Return how long the container may take from SIGTERM to its end."""
    drain = {"OCR_DRAIN_TIMEOUT": Settings.model_fields["ocr_drain_timeout"].default}
    variables = drain | start_script() | environment
    one_after_the_other = ("OCR_DRAIN_TIMEOUT", "UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN", "VLLM_STOP_TIMEOUT")
    return sum(int(variables[name]) for name in one_after_the_other) + int(ABORT_SECONDS) + _STORING


def check_settings(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in known_variables():
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load_settings()
