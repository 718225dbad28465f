"""The figures of all jobs, for the metrics."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QueueState:
    """jobs: number by state. oldest: seconds that the oldest pending job has waited, or None."""

    jobs: Mapping[str, int]
    oldest: float | None
