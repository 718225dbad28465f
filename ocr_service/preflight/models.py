"""The models: there, and whole."""

import hashlib
import json
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

from ocr_service.preflight.findings import Finding, failed, passed, skipped
from ocr_service.preflight.vllm_command import VllmCommand

SUMS = "SHA256SUMS"
"""File in the folder of the models, in the format of sha256sum; `scripts/download_models.py` writes it."""

_DOWNLOAD = "build the image with BAKE_MODELS=true, or run scripts/download_models.py into MODELS_DIR"
_AGAIN = "delete this file, and run scripts/download_models.py again"


def check_models(command: VllmCommand, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Check the weights of the VLM, which the command names, and the layout model."""
    cache = environment.get("PADDLE_PDX_CACHE_HOME") or f"{environment.get('HOME', '/tmp')}/.paddlex"
    folder = Path(environment.get("MODELS_DIR") or f"{cache}/official_models")
    layout = folder / layout_model(environment)
    if layout.is_dir():
        yield _check_files("layout model", layout)
    else:
        yield skipped(
            "layout model",
            f"there is no {layout}; the first start downloads it. To prevent that, {_DOWNLOAD}",
        )
    if command.arguments:
        yield _check_weights(command.arguments[0])
    if (folder / SUMS).is_file():
        yield _check_sums(folder)
    elif layout.is_dir():
        yield skipped("hashes", f"{folder} has no {SUMS}; only the lengths of the weights were checked")


def layout_model(environment: Mapping[str, str]) -> str:
    """Return the name of the model that the pipeline loads, in the format of the layout engine."""
    name = "PP-DocLayoutV2" if environment.get("OCR_PIPELINE_VERSION") == "v1" else "PP-DocLayoutV3"
    return f"{name}_onnx" if environment.get("OCR_LAYOUT_ENGINE") == "onnxruntime" else name


def _check_weights(model: str) -> Finding:
    folder = Path(model)
    if not folder.is_absolute():
        detail = f"{model} is not here: the first start downloads it, unless you {_DOWNLOAD}"
        return skipped("VLM weights", detail)
    if not folder.is_dir():
        return failed(
            "VLM weights", f"there is no folder {folder}", "correct VLLM_MODEL, or mount the models there"
        )
    if not any(folder.glob("*.safetensors")):
        return failed("VLM weights", f"there is no *.safetensors in {folder}", _DOWNLOAD)
    return _check_files("VLM weights", folder)


def _check_files(check: str, folder: Path) -> Finding:
    """Check that no file is empty, and that weights have the length that their header tells."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    if not files:
        return failed(check, f"{folder} is empty", _DOWNLOAD)
    for path in files:
        if path.stat().st_size == 0 or (path.suffix == ".safetensors" and not _is_whole(path)):
            return failed(check, f"{path} is cut off", _AGAIN)
    size = sum(path.stat().st_size for path in files)
    return passed(check, f"{folder}, {size / 1e9:.2f} GB")


def _is_whole(weights: Path) -> bool:
    """Compare the length of the file with the end of its last tensor."""
    size = weights.stat().st_size
    with weights.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else size
        if length > size:
            return False
        try:
            header = json.loads(file.read(length))
        except ValueError:
            return False
    ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
    return bool(8 + length + max(ends, default=0) == size)


def _check_sums(folder: Path) -> Finding:
    lines = [line.split(maxsplit=1) for line in (folder / SUMS).read_text().splitlines() if line]
    for expected, name in lines:
        path = folder / name.lstrip("*")
        if not path.is_file():
            return failed("hashes", f"{path} is missing", _DOWNLOAD)
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != expected:
                return failed("hashes", f"{path} is damaged", _AGAIN)
    return passed("hashes", f"{len(lines)} files in {folder}")
