"""Accuracy and CPU seconds on the evaluation set: the service, `tesseract` and OCRmyPDF, in one run.

All contenders read the same files with the same languages, as many at a time as there are cores. They take
turns kind by kind, so that changes in machine speed affect all of them.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from benchmarks.accuracy.contenders import Contender, OcrMyPdf, TesseractCommand, services
from benchmarks.accuracy.measuring import Measured, measure
from benchmarks.accuracy.report import Results, print_report
from benchmarks.accuracy.scores import score
from benchmarks.corpus import FOLDER
from benchmarks.corpus.truth import Entry, read_index
from tests.running import RunningService


class _OtherCheckout(RunningService):
    """The service of another working tree, on the same packages."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder


def main() -> None:
    """Run all contenders and print the tables."""
    options = _options()
    if missing := [name for name in ("tesseract", "ocrmypdf", "pdftoppm") if shutil.which(name) is None]:
        sys.exit(f"not installed: {', '.join(missing)}; make bench-accuracy installs them")
    entries = _chosen(options)
    with ExitStack() as stack:
        own = services("this service", stack.enter_context(RunningService()))
        contenders: list[Contender] = [*own]
        if options.other:
            contenders += services(options.other.name, stack.enter_context(_OtherCheckout(options.other)))
        programs: list[Contender] = (
            [] if options.alone else [TesseractCommand(1), TesseractCommand(3), OcrMyPdf()]
        )
        measured = measure(entries, [*contenders, *programs])
    if options.texts:
        _write_texts(options.texts, measured)
    scores = {
        name: {entry.name: score(entry, each.readings[entry.name]) for entry in entries}
        for name, each in measured.items()
    }
    seconds = {name: each.seconds for name, each in measured.items()}
    print_report(Results(entries, scores, seconds, own[-1].name, [each.name for each in programs]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--half", choices=["tuning", "judging"], default="judging", help="pages that are read"
    )
    parser.add_argument("--kind", action="append", help="only pages of this kind; can be repeated")
    parser.add_argument(
        "--other", type=Path, help="folder of another checkout, whose service is measured too"
    )
    parser.add_argument("--alone", action="store_true", help="without the other programs")
    parser.add_argument("--texts", type=Path, help="folder for the texts of all contenders, as JSON")
    return parser.parse_args()


def _chosen(options: argparse.Namespace) -> list[Entry]:
    try:
        entries = read_index(FOLDER)
    except FileNotFoundError:
        sys.exit("there is no evaluation set: make corpus builds it")
    kinds = options.kind or {entry.kind for entry in entries}
    return [entry for entry in entries if entry.half == options.half and entry.kind in kinds]


def _write_texts(folder: Path, measured: Mapping[str, Measured]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, (name, each) in enumerate(measured.items()):
        pages = {page: [reading.text, reading.markdown] for page, reading in each.readings.items()}
        values = {"contender": name, "pages": pages}
        (folder / f"{number}.json").write_text(json.dumps(values, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
