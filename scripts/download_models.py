"""Download the models of a PaddleOCR-VL release, in the format of a layout engine.

Usage: download_models.py RELEASE LAYOUT_ENGINE FOLDER, such as `download_models.py v1.6 paddle /models`.
MODELS_DIR must name the same folder later. Existing models are not downloaded again. The hashes of all files
are written to SHA256SUMS in the folder, and the preflight compares them.
"""

import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

VLM = "PaddleOCR-VL"
SUMS = "SHA256SUMS"


def main(release: str, engine: str, folder: Path) -> None:
    """Download every model in the pipeline configuration of the release."""
    with tempfile.TemporaryDirectory() as home:
        # PaddleX reads this at import, and writes other files beside the models.
        os.environ["PADDLE_PDX_CACHE_HOME"] = home
        Path(home, "official_models").symlink_to(folder.resolve())
        from paddlex.inference import load_pipeline_config
        from paddlex.inference.utils.official_models import official_models

        pipeline = VLM if release == "v1" else f"{VLM}-{release.removeprefix('v')}"
        for name in sorted(set(model_names(load_pipeline_config(pipeline)))):
            print(f"{name}: checking or downloading", flush=True)
            official_models.get_model_path(name, model_formats=formats(name, engine))
            print(f"{name}: ready", flush=True)
    write_sums(folder)


def write_sums(folder: Path) -> None:
    """Write the hashes in the format of sha256sum."""
    lines = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        lines.append(f"{digest}  {path.relative_to(folder)}\n")
    (folder / SUMS).write_text("".join(lines))


def model_names(config: Any) -> Iterator[str]:
    """Return the names of all models in a pipeline configuration, at any depth."""
    if isinstance(config, dict):
        if "model_name" in config:
            yield config["model_name"]
        for part in config.values():
            yield from model_names(part)


def formats(name: str, engine: str) -> tuple[str, ...] | None:
    """Return the model formats that the pipeline will request, or None for the VLM, which has one format."""
    if name.startswith(VLM):
        return None
    from paddlex.inference import models

    # PaddleX has no public function for this.
    chosen, _ = models._resolve_requested_engine(name, engine, None)  # noqa: SLF001
    chosen_engine = models._get_inference_engine(chosen)  # noqa: SLF001
    supported: tuple[str, ...] | None = chosen_engine.get_supported_model_formats()
    return supported


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
