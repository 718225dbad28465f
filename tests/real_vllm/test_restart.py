"""start.sh with the real vLLM: an engine that hangs is noticed, and vLLM is restarted."""

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.paddleocr_vl.test_faults import scan
from tests.real_vllm.running import VENV, engine_of, real_settings
from tests.running import RunningStart
from tests.stand_ins.models import make_model_cache

pytestmark = [
    pytest.mark.skipif(VENV is None, reason="REAL_VLLM_VENV is not set; `make test-real-vllm` sets it"),
    pytest.mark.timeout(1800),
]


def wait_until(holds: Callable[[], bool], seconds: float) -> float:
    """Poll until the condition holds; return the seconds that it took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds
        time.sleep(0.2)
    return time.monotonic() - began


def test_hung_engine_is_restarted(tmp_path: Path) -> None:
    settings = {
        **make_model_cache(tmp_path / "paddlex"),
        **real_settings(tmp_path, "key"),
        "VLLM_ENABLED": "true",
        "OCR_ENGINE": "paddleocr-vl",
        "OCR_LAYOUT_ENGINE": "onnxruntime",
        "OCR_DEVICE": "cpu",
        "OCR_PRELOAD": "true",
        "OCR_VLM_HANG_TIMEOUT": "5",
        "VLLM_HANG_TIMEOUT": "10",
    }
    with RunningStart(**settings) as start, ThreadPoolExecutor() as pool:

        def ready() -> bool:
            return start.get("/health/ready").status_code == 200

        def read() -> httpx.Response:
            return httpx.post(f"{start.url}/ocr", files=scan(2), data={"max_new_tokens": "8"}, timeout=300)

        started = wait_until(ready, 600)
        assert read().status_code == 200
        os.kill(engine_of(start.process.pid), signal.SIGSTOP)
        reading = pool.submit(read)
        noticed = wait_until(lambda: not ready(), 60)
        answer = reading.result()
        assert (answer.status_code, answer.json()["code"]) == (503, "vlm_unavailable")
        assert "it hangs" in answer.json()["detail"]
        assert "ocr_vlm_hangs_total 1.0" in start.get("/metrics").text
        start.wait_for("vLLM hangs, and is killed", timeout=120)
        restarted = wait_until(ready, 600)
        assert read().status_code == 200
    times = {"ready": started, "hang noticed": noticed, "ready again": restarted}
    print({event: f"after {seconds:.0f} s" for event, seconds in times.items()})
