"""The image build downloads the models that the pipeline loads: tested with stand-ins, without a network."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.download_models import SUMS
from tests.running import ROOT
from tests.stand_ins.models import make_model_cache

# No server listens there. If a model is not in the folder, its download fails.
NOWHERE = "http://127.0.0.1:9"


def download(folder: Path) -> subprocess.CompletedProcess[str]:
    offline = {"HTTPS_PROXY": NOWHERE, "HTTP_PROXY": NOWHERE, "PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK": "True"}
    return subprocess.run(
        [sys.executable, "scripts/download_models.py", "v1.6", "onnxruntime", str(folder)],
        cwd=ROOT,
        env={**os.environ, **offline},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_model_cache(tmp_path)
    (tmp_path / "official_models/PaddleOCR-VL-1.6").mkdir()
    return tmp_path / "official_models"


def test_every_model_is_requested_in_the_format_of_the_engine(folder: Path) -> None:
    done = download(folder)
    assert done.returncode == 0, done.stderr
    ready = {line for line in done.stdout.splitlines() if line.endswith(": ready")}
    models = ("PP-DocLayoutV3", "PP-LCNet_x1_0_doc_ori", "PaddleOCR-VL-1.6-0.9B", "UVDoc")
    assert ready == {f"{name}: ready" for name in models}
    checked = subprocess.run(["sha256sum", "--check", "--quiet", SUMS], cwd=folder)
    assert checked.returncode == 0 and (folder / SUMS).read_text().count("\n") >= 4
