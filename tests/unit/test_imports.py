"""Which room may know which: the house's import direction, held."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Read from top to bottom: no room knows one below it.
MAY_IMPORT: dict[str, set[str]] = {
    "ocr_service": set(),
    "ocr_service.errors": set(),
    "ocr_service.addresses": set(),
    "ocr_service.access": set(),
    "ocr_service.config": {"access", "addresses"},
    "ocr_service.request_context": set(),
    "ocr_service.metrics": {"request_context"},
    "ocr_service.tracing": {"", "errors", "request_context"},
    "ocr_service.gpus": set(),
    "ocr_service.workers": set(),
    "ocr_service.cores": set(),
    "ocr_service.memory": set(),
    "ocr_service.healthcheck": set(),
    "ocr_service.connections": set(),
    "ocr_service.logs": {"request_context"},
    "ocr_service.background": {"logs"},
    "ocr_service.listening": set(),
    "ocr_service.stopping": set(),
    "ocr_service.places": set(),
    "ocr_service.admission": {"errors", "places"},
    "ocr_service.supervisor": {"logs"},
    "ocr_service.documents": {"errors"},
    "ocr_service.selection": {"errors"},
    "ocr_service.starting": {"documents", "errors", "logs"},
    "ocr_service.decoding": {"documents", "errors", "workers"},
    "ocr_service.tesseract": {"cores", "documents", "errors", "starting", "workers"},
    "ocr_service.paddleocr_vl": {"documents", "errors", "metrics", "tracing"},
    "ocr_engine": {"cores", "documents", "errors", "paddleocr_vl", "starting", "workers"},
    "s3_storage": {"documents", "errors", "workers"},
    "ocr_service.fetching": {"addresses", "errors", "workers"},
    "ocr_service.disk": {"errors"},
    "ocr_service.local_storage": {"disk", "documents", "errors", "workers"},
    "ocr_service.parcels": {"documents"},
    "ocr_service.spool": {"disk", "errors", "parcels"},
    "ocr_service.storing": {
        "disk",
        "documents",
        "errors",
        "metrics",
        "parcels",
        "spool",
        "tracing",
        "workers",
    },
    "ocr_service.rendering": {"documents", "errors", "parcels"},
    "ocr_service.stream_rendering": {"rendering"},
    "ocr_service.layout_rendering": {"decoding", "documents", "rendering"},
    "ocr_service.packing": {"", "decoding", "documents", "parcels", "rendering"},
    "ocr_service.result_form": {"documents"},
    "ocr_service.cache": {"documents", "errors", "metrics", "result_form"},
    "ocr_service.pipeline": {
        "",
        "admission",
        "cache",
        "decoding",
        "documents",
        "errors",
        "metrics",
        "selection",
        "tracing",
        "workers",
    },
    "ocr_service.state_metrics": {"", "admission", "documents", "gpus", "metrics", "pipeline", "storing"},
    "ocr_service.routes": {
        "",
        "access",
        "admission",
        "background",
        "cache",
        "documents",
        "errors",
        "fetching",
        "layout_rendering",
        "logs",
        "gpus",
        "metrics",
        "packing",
        "parcels",
        "pipeline",
        "rendering",
        "request_context",
        "state_metrics",
        "storing",
        "stream_rendering",
        "tracing",
    },
}
# The wiring alone may import everything.
WIRING = "server"
OURS = {"ocr_service", "ocr_engine", "s3_storage", WIRING}
HEAVY = (
    "aiohttp",
    "paddleocr",
    "paddlex",
    "paddle",
    "tesserocr",
    "numpy",
    "torch",
    "vllm",
    "boto3",
    "opentelemetry.exporter",
    "opentelemetry.sdk",
)


def room_of(module: str) -> str:
    """Return the room that a module is, or is part of."""
    while module not in MAY_IMPORT and "." in module:
        module = module.rpartition(".")[0]
    return module


def allowed(room: str) -> set[str]:
    return {f"ocr_service.{name}".rstrip(".") for name in MAY_IMPORT[room]} | {room}


def modules() -> Iterator[tuple[str, Path]]:
    for path in [*sorted(ROOT.glob("*.py")), *sorted((ROOT / "ocr_service").rglob("*.py"))]:
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name the whole path"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize(("module", "path"), list(modules()), ids=str)
def test_imports_go_one_way(module: str, path: Path) -> None:
    if module == WIRING:
        return
    room = room_of(module)
    assert module == room or (module.startswith(f"{room}.") and room != "ocr_service"), (
        f"no room for {module}"
    )
    ours = [name for name in imported(path) if name.split(".")[0] in OURS]
    assert {room_of(name) for name in ours} <= allowed(room)


def test_rooms_are_listed_from_the_ground_up() -> None:
    rooms = list(MAY_IMPORT)
    for number, room in enumerate(rooms):
        assert allowed(room) <= set(rooms[: number + 1]), room


def test_heavy_packages_are_not_imported_with_the_app() -> None:
    check = f"import sys, server; print([m for m in {HEAVY} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
