"""The command in this process, and the files that it leaves."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ocr_service.bulk.cli import main
from ocr_service.bulk.results import RECORDS
from tests.samples import pdf_of_text

PAGES = 2


@dataclass(frozen=True)
class Bulk:
    """A folder of documents, one of results, and the service for them."""

    folder: Path
    url: str

    @property
    def source(self) -> Path:
        return self.folder / "in"

    @property
    def results(self) -> Path:
        return self.folder / "out"

    def fill(self, count: int) -> list[str]:
        """Write so many documents of `PAGES` pages; return their names."""
        names = [f"папка/{number}.pdf" if number % 2 else f"{number} скан.pdf" for number in range(count)]
        for name in names:
            self.write(name, pdf_of_text([f"{name} {page}" for page in range(PAGES)], size=(100, 100)))
        return names

    def write(self, name: str, content: bytes) -> None:
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def arguments(self, *options: str) -> list[str]:
        return [str(self.source), str(self.results), "--server", self.url, *options]

    def run(self, *options: str) -> int:
        """Run the command, and return its exit code."""
        return main(self.arguments(*options), {})

    def reported(self, *options: str) -> tuple[int, dict[str, dict[str, Any]]]:
        """Run the command; return its exit code and the lines of its report by document."""
        report = self.folder / "report.ndjson"
        code = self.run("--report", str(report), *options)
        lines = [json.loads(line) for line in report.read_text().splitlines()]
        by_name = {line["document"]: line for line in lines}
        assert len(by_name) == len(lines)
        return code, by_name

    @property
    def files(self) -> set[str]:
        """Paths of the files of results, without a file that a killed run had not finished."""
        paths = [path for path in self.results.rglob("*") if path.is_file() and path.suffix != ".part"]
        names = {str(path.relative_to(self.results)) for path in paths}
        return {name for name in names if not name.startswith(RECORDS)}
