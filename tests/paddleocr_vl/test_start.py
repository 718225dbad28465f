"""start.sh with vLLM, end to end: the real pipeline, with stand-ins for the weights and for vLLM."""

import io
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.running import NO_CERTIFICATES, RunningStart, free_port
from tests.stand_ins.models import make_model_cache
from tests.stand_ins.pages import Box, draw_page

# Milliseconds that vLLM takes for each token.
SLOW_STEP = "20"


@pytest.mark.stand_in("it needs a slow vLLM, which starts late")
def test_accepted_page_is_finished_before_vllm_is_stopped(tmp_path: Path) -> None:
    port, gate = free_port(), tmp_path / "gate"
    serve = f"python -m tests.stand_ins.vllm_server --port {port} --step-ms {SLOW_STEP}"
    settings = {
        "VLLM_ENABLED": "true",
        # It starts when the test creates the gate file.
        "VLLM_COMMAND": f"sh -c 'until [ -e {gate} ]; do sleep 0.05; done; exec {serve}'",
        "VLLM_SERVER_PORT": str(port),
        "OCR_LAYOUT_ENGINE": "onnxruntime",
        "OCR_DEVICE": "cpu",
        "OCR_PRELOAD": "true",
        # The weights may be on a read-only volume, and PaddleX writes elsewhere.
        **make_model_cache(tmp_path / "models"),
        "MODELS_DIR": str(tmp_path / "models/official_models"),
        "PADDLE_PDX_CACHE_HOME": str(tmp_path / "cache"),
        "HOME": str(tmp_path / "home"),
    }
    page = io.BytesIO()
    draw_page([Box("text", 5, 8, 58, 20)]).save(page, "PNG")
    with RunningStart(**settings) as start, ThreadPoolExecutor() as pool:
        assert start.get("/health").json()["vllm"] == "starting"
        assert start.get("/health/ready").status_code == 503
        gate.touch()
        start.wait_for("PaddleOCR-VL is ready after", timeout=120)
        start.wait_for("vLLM at .* is ready")
        reading = pool.submit(httpx.post, f"{start.url}/ocr", files={"file": page.getvalue()}, timeout=120)
        stats = f"http://127.0.0.1:{port}/stand_in/stats"
        while not httpx.get(stats, timeout=120, verify=NO_CERTIFICATES).json()["calls"]:
            time.sleep(0.01)
        start.process.terminate()
        answer = reading.result()
        assert start.process.wait(120) == 0
    assert answer.status_code == 200 and answer.json()["text"]
    assert not (tmp_path / "home/.cache/Microsoft").exists(), "ONNX Runtime prepares to send telemetry"
    start.wait_for("Finished server process(.*\n)*.*vLLM exited")
