"""Measurements that anyone can run again: each prints a table with ratios taken in one run."""

import time
from collections.abc import Callable


def seconds(call: Callable[[], object]) -> float:
    """Time one call."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
