"""All contenders read all pages; the readings and the CPU seconds are kept."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby

from benchmarks import Progress, say
from benchmarks.accuracy.contenders import Contender
from benchmarks.accuracy.scores import Reading
from benchmarks.corpus import FOLDER
from benchmarks.corpus.truth import Entry
from ocr_service.runtime.cores import usable_cores

_REFUSED = Reading("", "")


@dataclass(slots=True)
class Measured:
    """One contender: its readings by the name of the page, and CPU seconds a page by kind."""

    readings: dict[str, Reading] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def measure(entries: Sequence[Entry], contenders: Sequence[Contender]) -> dict[str, Measured]:
    """Return the results by contender; a page that a contender refuses counts as empty."""
    measured = {each.name: Measured() for each in contenders}
    progress = Progress("pages", len(entries))
    with ThreadPoolExecutor(usable_cores()) as threads:
        for contender in contenders:
            # The first page loads models and is not measured.
            contender.read(FOLDER / entries[0].file)
        for kind, group in groupby(entries, key=lambda entry: entry.kind):
            pages = list(group)
            before = measured[contenders[0].name]
            for contender in contenders:
                own = measured[contender.name]
                if contender.pictures_too or pages[0].file.endswith(".pdf"):
                    _read(kind, pages, contender, own, threads)
                else:
                    own.readings |= {page.name: before.readings[page.name] for page in pages}
                    own.seconds[kind] = before.seconds[kind]
                before = own
            progress.step(len(pages))
    return measured


def _read(
    kind: str, pages: Sequence[Entry], contender: Contender, own: Measured, threads: ThreadPoolExecutor
) -> None:
    began = contender.cpu_seconds()
    readings = list(threads.map(contender.read, [FOLDER / page.file for page in pages]))
    own.seconds[kind] = (contender.cpu_seconds() - began) / len(pages)
    for page, reading in zip(pages, readings, strict=True):
        if reading is None:
            say(f"{contender.name} refuses {page.file}")
        own.readings[page.name] = reading or _REFUSED
