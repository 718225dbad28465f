"""The result of a check, and its two forms: lines for people, JSON for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """`skip`: the check does not apply here, or cannot be made."""

    PASS = "pass"
    FAIL = "FAIL"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Finding:
    """detail: the measured value or the reason. action: for the operator, if the check failed."""

    check: str
    outcome: Outcome
    detail: str
    action: str | None = None

    def __str__(self) -> str:
        line = f"{self.outcome:4}  {self.check}: {self.detail}"
        return f"{line}\n      {self.action}" if self.action else line


def passed(check: str, detail: str) -> Finding:
    """Return a finding without a problem."""
    return Finding(check, Outcome.PASS, detail)


def failed(check: str, detail: str, action: str) -> Finding:
    """Return a finding with a problem, and the action that solves it."""
    return Finding(check, Outcome.FAIL, detail, action)


def skipped(check: str, detail: str) -> Finding:
    """Return a finding without a result."""
    return Finding(check, Outcome.SKIP, detail)


def any_failed(findings: Sequence[Finding]) -> bool:
    """Return whether the machine is not ready."""
    return any(finding.outcome is Outcome.FAIL for finding in findings)


def as_json(findings: Sequence[Finding]) -> str:
    """Return all findings as one JSON object; outcomes are in small letters."""
    checks = [{**asdict(finding), "outcome": finding.outcome.lower()} for finding in findings]
    return json.dumps({"ready": not any_failed(findings), "checks": checks}, ensure_ascii=False, indent=2)
