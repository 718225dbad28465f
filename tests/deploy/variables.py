"""Environment variables of the container: the settings, and the variables of start.sh."""

import re
from functools import cache

from ocr_service.admission.admission import ABORT_SECONDS
from ocr_service.config import load_settings, variables
from tests.running import ROOT

# Seconds after the last response in which results may be stored or put into the spool.
_STORING = 20


@cache
def start_script() -> dict[str, str]:
    """Return the variables of the start script and their defaults."""
    lines = (ROOT / "start.sh").read_text()
    return dict(re.findall(r'^: "\$\{(\w+):=(.*)\}"$', lines, re.MULTILINE))


def known_variables() -> set[str]:
    return set(start_script()).union(*variables().values())


def seconds_to_stop(environment: dict[str, str]) -> float:
    """Return the seconds that the container may take from SIGTERM to its exit."""
    drain = load_settings(environment).lifecycle.drain_timeout + ABORT_SECONDS
    values = start_script() | environment
    afterwards = ("UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN", "VLLM_STOP_TIMEOUT")
    return drain + sum(float(values[name]) for name in afterwards) + _STORING
