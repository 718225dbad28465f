"""Attack a service with Tesseract in several ways, and print the effect on an honest caller.

`python -m benchmarks.attack [--seconds 20] [NAME...]`. The exit status is 1 if the service answers
with 500, ends, or does not return to rest.
"""

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Callable, Sequence
from multiprocessing.synchronize import Event
from types import ModuleType

from benchmarks import attack, say
from benchmarks.attack.beside import beside
from benchmarks.attack.callers import Address, Outcomes
from benchmarks.attack.measuring import Seen, address_of, measure, time_until_idle
from tests.running import RunningService
from tests.samples import encoded
from tests.stand_ins.pages import text_page

_PARTS = ("beside", "callers", "measuring", "__main__")
NAMES = sorted(each.name for each in pkgutil.iter_modules(attack.__path__) if each.name not in _PARTS)
_SERVER_ERROR = "500"
_COLUMNS = (
    "attack",
    "page, quiet → attack → after (s)",
    "ratio",
    "`/health/live`: median, p99 (ms)",
    "peak, quiet → attack (MiB)",
    "honest failures",
    "outcomes",
    "at rest after (s)",
)


def main() -> None:
    """Run the attacks, each against a new service."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attack")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(NAMES)}")
    parser.add_argument("--seconds", type=float, default=20, help="duration of an attack")
    given = parser.parse_args()
    if unknown := set(given.names) - set(NAMES):
        parser.error(f"unknown attack: {', '.join(unknown)}")
    page = encoded(text_page(3, 1, (827, 600)), "PNG")
    print(f"| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}", flush=True)
    # A list, so that each attack runs even if an earlier one fails.
    held = [_run(name, page, given.seconds) for name in given.names or NAMES]
    sys.exit(0 if all(held) else 1)


def _run(name: str, page: bytes, seconds: float) -> bool:
    say(name)
    with RunningService(**getattr(_module(name), "SETTINGS", {})) as service:
        # The engine starts with the first request.
        service.client.post("/ocr", content=page).raise_for_status()
        quiet = measure(service, page, seconds)
        during, outcomes = _attacked(service, name, page, seconds)
        rest, busy = time_until_idle(service)
        after = measure(service, page, seconds / 2)
        has_ended = service.process.poll() is not None
    _print_row(name, (quiet, during, after), outcomes, rest)
    if busy:
        say(f"{name}: not at rest: {busy}")
    return not (busy or has_ended or outcomes[_SERVER_ERROR])


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"benchmarks.attack.{name}")


def _attacked(service: RunningService, name: str, page: bytes, seconds: float) -> tuple[Seen, Outcomes]:
    attack_with: Callable[[Address, Event], Outcomes]
    attack_with = _module(name).attack
    with beside(attack_with, address_of(service), attacks=True) as outcomes:
        during = measure(service, page, seconds)
    return during, outcomes.result()


def _print_row(name: str, seen: Sequence[Seen], outcomes: Outcomes, rest: float) -> None:
    quiet, during, after = seen
    latencies = " → ".join(f"{each.latency:.2f}" for each in seen)
    health = " → ".join(f"{each.health_latency * 1e3:.1f}, {each.health_p99 * 1e3:.0f}" for each in seen[:2])
    counted = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common() if count)
    failed = len(during.failures)
    cells = (
        name,
        latencies,
        f"{during.latency / quiet.latency:.1f}",
        health,
        f"{quiet.peak:.0f} → {during.peak:.0f}",
        f"{failed} of {failed + len(during.honest) + len(during.health)}",
        counted,
        f"{rest:.0f}",
    )
    print(f"| {' | '.join(cells)} |", flush=True)
    for failure in sorted(set(during.failures + after.failures)):
        say(f"{name}: {failure}")


if __name__ == "__main__":
    main()
