"""Time and CPU time of decoding a page, and the same with another version: `--other FOLDER` of a checkout."""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import say
from benchmarks.decoding_stage import DOCUMENTS
from ocr_service.runtime.cores import usable_cores
from tests.running import ROOT

_STAGE = ROOT / "benchmarks" / "decoding_stage.py"


def measured(folder: Path, *case: str) -> dict[str, float]:
    """Run one case with the code in a folder, and the package `benchmarks` of this one."""
    with TemporaryDirectory() as ours:
        Path(ours, "benchmarks").symlink_to(_STAGE.parent)
        environment = {**os.environ, "PYTHONPATH": f"{ours}{os.pathsep}{folder}"}
        run = subprocess.run(
            [sys.executable, _STAGE, *case], cwd=folder, env=environment, stdout=subprocess.PIPE, check=True
        )
    figures: dict[str, float] = json.loads(run.stdout)
    return figures


def medians(folders: list[Path], case: tuple[str, ...], rounds: int) -> list[dict[str, float]]:
    """Return the medians for each folder; the rounds alternate between them."""
    runs = [[measured(folder, *case) for folder in folders] for _ in range(rounds)]
    return [
        {name: statistics.median(run[name] for run in of_folder) * 1000 for name in ("wall", "cpu")}
        for of_folder in zip(*runs, strict=True)
    ]


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_decoding", description=__doc__)
    parser.add_argument("--other", type=Path, help="folder of another checkout")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--document", choices=DOCUMENTS, action="append")
    options = parser.parse_args()
    folders = [ROOT, options.other.resolve()] if options.other else [ROOT]
    print(f"{usable_cores()} cores; milliseconds a page\n")
    other = " other: time | other: CPU | times as fast | CPU |" if options.other else ""
    print(f"| document | mode | callers | time | CPU |{other}")
    print("|---|---|---|---|---|" + "---|" * other.count("|"))
    for case in itertools.product(options.document or DOCUMENTS, ("L", "RGB"), ("1", "8")):
        say(", ".join(case))
        figures = medians(folders, (*case, str(options.seconds)), options.rounds)
        cells = [*case, *(f"{figure[name]:.1f}" for figure in figures for name in ("wall", "cpu"))]
        if options.other:
            ours, others = figures
            cells += [f"{others['wall'] / ours['wall']:.2f}", f"{ours['cpu'] / others['cpu'] - 1:+.0%}"]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
