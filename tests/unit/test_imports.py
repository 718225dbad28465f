"""Import direction between the folders, and lazy imports of heavy packages.

`python -m tests.unit.test_imports [CHECKOUT]` prints the imports between the places: the folders and files
directly in `ocr_service/`, and the modules beside it.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = "ocr_service"

# Sorted from top to bottom: a place imports only places below it, and only the ones in its row.
# `server` is the wiring and may import everything; `ocr_service` holds the version.
MAY_IMPORT: dict[str, set[str]] = {
    "bulk": {"core", "s3_storage", "storage"},
    "config": {
        "admission",
        "api",
        "core",
        "decoding",
        "engines",
        "jobs",
        "pipeline",
        "runtime",
        "s3_storage",
        "security",
        "sources",
        "storage",
        "telemetry",
    },
    "api": {
        "admission",
        "core",
        "decoding",
        "engines",
        "exports",
        "jobs",
        "ocr_service",
        "pipeline",
        "runtime",
        "security",
        "sources",
        "storage",
        "telemetry",
        "ui",
    },
    "ui": set(),
    "exports": {"core", "decoding", "runtime"},
    "jobs": {"admission", "core", "pipeline", "runtime", "telemetry"},
    "s3_storage": {"core", "runtime", "storage"},
    "storage": {"core", "decoding", "ocr_service", "runtime", "telemetry"},
    "pipeline": {"admission", "core", "decoding", "layout", "ocr_service", "runtime", "telemetry"},
    "ocr_engine": {"core", "engines", "runtime"},
    "engines": {"core", "layout", "runtime", "telemetry"},
    "sources": {"core", "runtime", "security", "telemetry"},
    "decoding": {"core", "layout", "runtime"},
    "layout": {"core"},
    "container": {"telemetry"},
    "preflight": set(),
    "runtime": {"core", "telemetry"},
    "admission": {"core"},
    "telemetry": {"core", "ocr_service"},
    "security": {"core"},
    "core": set(),
    "ocr_service": set(),
}
WIRING = "server"
HEAVY = (
    "aiohttp",
    "cv2",
    "paddleocr",
    "paddlex",
    "paddle",
    "tesserocr",
    "pypdfium2",
    "numpy",
    "torch",
    "vllm",
    "boto3",
    "opentelemetry.exporter",
    "opentelemetry.sdk",
    "docx",
    "fontTools",
    "latex2mathml",
    "lxml",
    "markdown_it",
    "nh3",
    "pikepdf",
    "sqlalchemy",
    "alembic",
    "psycopg",
    "ray",
)


def modules(root: Path) -> Iterator[tuple[str, Path]]:
    for path in [*sorted(root.glob("*.py")), *sorted((root / PACKAGE).rglob("*.py"))]:
        parts = path.relative_to(root).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def place_of(name: str, places: set[str]) -> str | None:
    """Return the place of a module or of a name in it, or None if the module belongs to another package."""
    first, _, rest = name.partition(".")
    second = rest.partition(".")[0]
    if first == PACKAGE and second in places:
        return second
    return first if first in places else None


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports must be absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imports_between_places(root: Path) -> dict[str, set[str]]:
    """Map every place to the other places that it imports."""
    found = list(modules(root))
    places = {name.removeprefix(f"{PACKAGE}.").partition(".")[0] for name, _ in found}
    imports: dict[str, set[str]] = {place: set() for place in places}
    for module, path in found:
        here = place_of(module, places)
        assert here is not None
        imports[here] |= {there for name in imported(path) if (there := place_of(name, places))} - {here}
    return imports


def table_of_places() -> dict[str, set[str]]:
    """Return the table in ARCHITECTURE.md: each place with the places that it may import."""
    lines = (ROOT / "ARCHITECTURE.md").read_text().splitlines()
    rows = [re.fullmatch(r"\| `(\w+)(?:/|\.py)` \|.*\| (.+) \|", line) for line in lines]
    return {row[1]: set(re.findall(r"\w+", row[2])) for row in rows if row}


def test_place_imports_only_the_places_in_its_row() -> None:
    imports = imports_between_places(ROOT)
    assert imports.keys() == MAY_IMPORT.keys() | {WIRING}
    beyond = {place: imports[place] - allowed for place, allowed in MAY_IMPORT.items()}
    assert not {place: others for place, others in beyond.items() if others}


def test_table_in_architecture_md_matches() -> None:
    assert list(table_of_places().items()) == [(WIRING, {"everything"}), *MAY_IMPORT.items()]


def test_places_import_only_places_below_them() -> None:
    places = list(MAY_IMPORT)
    for number, place in enumerate(places):
        assert MAY_IMPORT[place] <= set(places[number + 1 :]), place


def test_app_import_does_not_import_heavy_packages() -> None:
    check = f"import sys, server; print([m for m in {HEAVY} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_worker_imports_nothing_that_only_the_service_needs() -> None:
    """Each start of the service waits for the imports of these processes."""
    workers = "ocr_service.decoding.worker, ocr_service.engines.tesseract.worker"
    check = f"import sys, {workers}; print([m for m in ('asyncio', 'pydantic') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


if __name__ == "__main__":
    counted = imports_between_places(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
    for place, others in sorted(counted.items()):
        print(f"{place}: {', '.join(sorted(others)) or '-'}")
    print(f"{len(counted)} places, {sum(map(len, counted.values()))} imports between them")
