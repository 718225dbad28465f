"""Feeds mutated files to the decoder for some minutes: `python -m tests.fuzz --minutes 10 --seed 1`.

No file may end the service, make it hang, use more memory than its pages need, or raise an error other than
the documented ones. If one does, it is saved, and `python -m tests.fuzz.decoder FILE` decodes it again.
"""

import argparse
import hashlib
import itertools
import os
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from hypothesis import target

from tests.fuzz.mutations import CORPUS, try_mutated
from tests.fuzz.watching import Outcome, WatchedDecoder
from tests.running import ROOT

FINDINGS = ROOT / ".cache" / "fuzz"
_FILES_A_TURN = 300


@dataclass
class Tally:
    """Outcomes of one format's files."""

    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    most_mib: float = 0.0
    found: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Outcome) -> None:
        """Count one file."""
        self.outcomes["read" if outcome.result.endswith(" pages") else outcome.result] += 1
        self.slowest = max(self.slowest, outcome.seconds)
        self.most_mib = max(self.most_mib, outcome.mib)
        if outcome.wrong:
            self.found[outcome.wrong] += 1


def run_turn(decoder: WatchedDecoder, format_name: str, number: int, until: float, tally: Tally) -> None:
    """Try some hundred files of a format; hypothesis searches for slow and for large ones."""

    def decodes(data: bytes) -> None:
        if time.monotonic() > until:
            return
        outcome = decoder.decode(data)
        tally.add(outcome)
        if outcome.wrong:
            save(format_name, number, data, outcome)
        target(outcome.seconds, label="seconds")
        target(outcome.mib, label="MiB")

    try_mutated(format_name, number, _FILES_A_TURN, decodes)


def save(format_name: str, number: int, data: bytes, outcome: Outcome) -> None:
    """Save a file that caused a finding, and its trace beside it."""
    FINDINGS.mkdir(parents=True, exist_ok=True)
    name = f"{format_name}-{outcome.wrong}-{hashlib.sha256(data).hexdigest()[:12]}".replace(" ", "-")
    (FINDINGS / name).write_bytes(data)
    (FINDINGS / f"{name}.txt").write_text(f"seed {number}\n{outcome.trace}\n")
    print(f"\nfound: {outcome.wrong}, saved as {FINDINGS / name}", file=sys.stderr)


def print_table(tallies: dict[str, Tally]) -> None:
    """Print the outcomes by format."""
    print("\n\n| format | files | read | refused | died | slowest s | most MiB | findings |")
    print("|---|---|---|---|---|---|---|---|")
    for name, tally in tallies.items():
        files, read, died = tally.outcomes.total(), tally.outcomes["read"], tally.outcomes["died"]
        refused = files - read - died - tally.found.total()
        found = ", ".join(f"{wrong}: {count}" for wrong, count in tally.found.items()) or "none"
        most = f"{tally.slowest:.1f} | {tally.most_mib:.0f}"
        print(f"| {name} | {files} | {read} | {refused} | {died} | {most} | {found} |")


def main() -> None:
    """Take the formats in turn until the time is up; if there is a finding, the exit status is 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, help="seed of the first turn; default: random")
    parser.add_argument("--format", choices=sorted(CORPUS), action="append")
    options = parser.parse_args()
    os.nice(10)
    first = random.randrange(10**6) if options.seed is None else options.seed
    formats = options.format or list(CORPUS)
    began = time.monotonic()
    until = began + options.minutes * 60
    tallies = {name: Tally() for name in formats}
    print(f"seed {first}; {options.minutes:g} minutes of {', '.join(formats)}", file=sys.stderr)
    with WatchedDecoder() as decoder:
        for turn, name in enumerate(itertools.cycle(formats)):
            if time.monotonic() > until:
                break
            run_turn(decoder, name, first + turn, until, tallies[name])
            files = sum(tally.outcomes.total() for tally in tallies.values())
            found = sum(tally.found.total() for tally in tallies.values())
            passed = (time.monotonic() - began) / 60
            line = f"{passed:4.1f} of {options.minutes:g} min: {files} files, {found} findings, now {name}"
            print(f"\r{line:<70}", end="", file=sys.stderr, flush=True)
    print_table(tallies)
    sys.exit(any(tally.found for tally in tallies.values()))


if __name__ == "__main__":
    main()
