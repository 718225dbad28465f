"""Download the models of a release of PaddleOCR-VL, in the form that a layout engine reads.

Usage: download_models.py RELEASE LAYOUT_ENGINE FOLDER, such as `download_models.py v1.6 paddle /models`.
The folder is what MODELS_DIR names later. What is there already is kept.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

VLM = "PaddleOCR-VL"


def main(release: str, engine: str, folder: Path) -> None:
    """Download every model that the release's pipeline names."""
    with tempfile.TemporaryDirectory() as home:
        # PaddleX reads this when it is imported, and keeps more than the models there.
        os.environ["PADDLE_PDX_CACHE_HOME"] = home
        Path(home, "official_models").symlink_to(folder.resolve())
        from paddlex.inference import load_pipeline_config
        from paddlex.inference.utils.official_models import official_models

        pipeline = VLM if release == "v1" else f"{VLM}-{release.removeprefix('v')}"
        for name in sorted(set(model_names(load_pipeline_config(pipeline)))):
            print(f"{name}: looking for it, or downloading", flush=True)
            official_models.get_model_path(name, model_formats=formats(name, engine))
            print(f"{name}: there", flush=True)


def model_names(config: Any) -> Iterator[str]:
    """Return the names of all models in a pipeline's configuration, however deep they stand."""
    if isinstance(config, dict):
        if "model_name" in config:
            yield config["model_name"]
        for part in config.values():
            yield from model_names(part)


def formats(name: str, engine: str) -> tuple[str, ...] | None:
    """Return the forms of a model that the pipeline will ask for; the VLM, which vLLM serves, has one."""
    if name.startswith(VLM):
        return None
    from paddlex.inference import models

    # PaddleX has no public function that says it.
    chosen, _ = models._resolve_requested_engine(name, engine, None)  # noqa: SLF001
    chosen_engine = models._get_inference_engine(chosen)  # noqa: SLF001
    supported: tuple[str, ...] | None = chosen_engine.get_supported_model_formats()
    return supported


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
