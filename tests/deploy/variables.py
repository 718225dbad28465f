"""The variables that a container may be given: the settings, and those of start.sh."""

import re
from functools import cache

from ocr_service.admission.admission import ABORT_SECONDS
from ocr_service.config import load_settings, variables
from tests.running import ROOT

# Seconds that results may take to be stored, or put into the spool, after the last answer.
_STORING = 20


@cache
def start_script() -> dict[str, str]:
    """Return the start script's variables and their defaults."""
    lines = (ROOT / "start.sh").read_text()
    return dict(re.findall(r'^: "\$\{(\w+):=(.*)\}"$', lines, re.MULTILINE))


def known_variables() -> set[str]:
    return set(start_script()).union(*variables().values())


def seconds_to_stop(environment: dict[str, str]) -> float:
    """Return how long the container may take from SIGTERM to its end."""
    drain = load_settings(environment).lifecycle.drain_timeout + ABORT_SECONDS
    values = start_script() | environment
    afterwards = ("UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN", "VLLM_STOP_TIMEOUT")
    return drain + sum(float(values[name]) for name in afterwards) + _STORING
