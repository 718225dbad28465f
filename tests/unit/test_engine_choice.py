"""The choice of the engine and its log line; language data of Tesseract."""

import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import tesserocr

from ocr_engine import PaddleOcrVlEngine
from ocr_service.config import ConfigurationError
from ocr_service.core.engine import EngineState
from ocr_service.core.errors import EngineUnavailable, LanguageNotInstalled
from ocr_service.core.options import Options
from ocr_service.engines.paddleocr_vl import presence
from ocr_service.engines.paddleocr_vl.presence import detect_backend, missing_parts
from ocr_service.engines.paddleocr_vl.settings import PaddleOcrVlSettings, VlmSettings
from ocr_service.engines.tesseract.engine import TesseractEngine
from ocr_service.engines.tesseract.languages import find_tessdata, languages_in
from ocr_service.engines.tesseract.settings import TesseractSettings
from ocr_service.runtime.cores import usable_cores
from server import choose_engine
from tests.http.serving import serving
from tests.settings import settings_of


def tesseract(page_seconds: float = 300, **settings: Any) -> TesseractEngine:
    return TesseractEngine(TesseractSettings(**settings), page_seconds)


NO_GPU_HERE = not any(Path("/dev").glob("nvidia[0-9]*"))


@pytest.mark.parametrize(
    ("name", "kind"), [("tesseract", TesseractEngine), ("paddleocr-vl", PaddleOcrVlEngine)]
)
def test_engine_setting_chooses_the_engine(name: str, kind: type, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert isinstance(choose_engine(settings_of(ocr_engine=name)), kind)
    assert f"engine: {name} (OCR_ENGINE={name})" in caplog.text


@pytest.mark.skipif(not NO_GPU_HERE, reason="a GPU is visible here")
def test_auto_without_gpu_and_vllm_is_tesseract(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(presence, "DEFAULT_VLM_URL", "http://127.0.0.1:9/v1")
    assert isinstance(choose_engine(settings_of()), TesseractEngine)
    assert "engine: tesseract (there is no GPU and no vLLM server)" in caplog.text


def test_vlm_url_chooses_paddleocr(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    # Of the two packages that can run the layout model, only this one is installed for the tests.
    engine = choose_engine(settings_of(ocr_vlm_url="http://127.0.0.1:9/v1", ocr_layout_engine="onnxruntime"))
    assert isinstance(engine, PaddleOcrVlEngine)
    assert "engine: paddleocr-vl" in caplog.text


@pytest.mark.parametrize("absent", ["paddleocr", "paddlex", "onnxruntime"])
def test_missing_package_of_paddleocr_chooses_tesseract(
    absent: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # None in sys.modules hides a package from the search, as if it were not installed.
    monkeypatch.setitem(sys.modules, absent, None)
    settings = settings_of(ocr_vlm_url="http://127.0.0.1:9/v1", ocr_layout_engine="onnxruntime")
    assert isinstance(choose_engine(settings), TesseractEngine)
    (warning,) = [record for record in caplog.records if "make run-gpu" in record.getMessage()]
    assert warning.levelname == "WARNING"
    assert f"these packages are not installed: {absent};" in warning.getMessage()


def test_vlm_url_overrides_the_reason_for_no_local_vllm() -> None:
    assert not missing_parts("http://127.0.0.1:9/v1", "onnxruntime", "no reason")


def test_separate_vllm_is_not_a_missing_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "DEFAULT_VLM_URL", "http://127.0.0.1:9/v1")
    assert missing_parts(None, "onnxruntime", "VLLM_ENABLED=false") == []


def test_running_vllm_overrides_the_reason_for_no_local_vllm(model_server: type["_Models"]) -> None:
    model_server.body = b'{"data": [{"id": "another-model"}]}'
    assert missing_parts(None, "onnxruntime", "no reason") == ["vLLM is not started: no reason"]
    model_server.body = b'{"data": [{"id": "PaddleOCR-VL-1.6-0.9B"}]}'
    assert missing_parts(None, "onnxruntime", "no reason") == []


@pytest.mark.parametrize("lang", ["tlh", "rus+tlh", "rus+", "../rus"])
def test_missing_default_language_is_refused(lang: str) -> None:
    with pytest.raises(ConfigurationError, match=r"OCR_LANG: Not installed: .*Installed: .*eng.*rus"):
        choose_engine(settings_of(ocr_engine="tesseract", ocr_lang=lang))


def test_languages_match_the_list_of_tesseract() -> None:
    tessdata = find_tessdata()
    _, names = tesserocr.get_languages(f"{tessdata}/")
    assert languages_in(tessdata) == set(names) - {"osd", "equ"}


def test_script_languages_include_their_folder(tmp_path: Path) -> None:
    (tmp_path / "script").mkdir()
    for name in ("rus", "osd", "script/Cyrillic"):
        (tmp_path / f"{name}.traineddata").touch()
    assert languages_in(tmp_path) == {"rus", "script/Cyrillic"}


class _Models(BaseHTTPRequestHandler):
    """Answers `/v1/models` as an OpenAI-compatible server does."""

    body = b""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/v1/models" else 404)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, template: str, *args: object) -> None:
        pass


@pytest.fixture
def model_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Models]]:
    with HTTPServer(("127.0.0.1", 0), _Models) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(presence, "DEFAULT_VLM_URL", f"http://127.0.0.1:{server.server_port}/v1")
        yield _Models
        server.shutdown()


@pytest.mark.skipif(not NO_GPU_HERE, reason="a GPU is visible here")
@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"data": [{"id": "PaddleOCR-VL-1.6-0.9B"}]}', True),
        (b'{"data": [{"id": "another-model"}]}', False),
        (b"<html>another server</html>", False),
        (b"[]", False),
    ],
)
def test_running_vllm_is_recognised_by_its_model(
    model_server: type[_Models], body: bytes, found: bool
) -> None:
    model_server.body = body
    assert bool(detect_backend(None)) is found


@pytest.mark.anyio
async def test_paddleocr_starts_with_the_first_request(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with serving(PaddleOcrVlEngine(PaddleOcrVlSettings(), VlmSettings())) as client:
        answer = (await client.get("/health")).json()
    assert answer["paddleocr"] == "not_initialized"
    assert "PaddleOCR-VL initialization deferred" in caplog.text


@pytest.mark.anyio
async def test_paddleocr_not_installed_is_unavailable(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # None in sys.modules makes the import fail, as if the package were not installed.
    monkeypatch.setitem(sys.modules, "paddleocr", None)
    engine = PaddleOcrVlEngine(PaddleOcrVlSettings(), VlmSettings())
    with pytest.raises(EngineUnavailable, match="not installed"):
        await engine.start()
    assert engine.state is EngineState.UNAVAILABLE
    assert "Failed to initialize PaddleOCR-VL" in caplog.text
    await engine.close()


@pytest.mark.anyio
@pytest.mark.parametrize("folder", ["", "absent"])
async def test_tesseract_without_language_data_is_unavailable(tmp_path: Path, folder: str) -> None:
    engine = tesseract(tessdata_dir=tmp_path / folder)
    with pytest.raises(EngineUnavailable, match="apt-get install"):
        await engine.start()
    await engine.close()


@pytest.mark.anyio
async def test_missing_default_language_does_not_disable_the_others(caplog: pytest.LogCaptureFixture) -> None:
    engine = tesseract(lang="rus+tlh")
    await engine.start()
    assert "OCR_LANG: Not installed: tlh" in caplog.text
    with pytest.raises(LanguageNotInstalled):
        engine.check(Options())
    engine.check(Options(lang="rus"))
    await engine.close()


@pytest.mark.anyio
async def test_missing_language_error_lists_the_installed_languages() -> None:
    engine = tesseract()
    await engine.start()
    for lang in ("tlh", "rus+tlh", "../rus", "rus+", ""):
        with pytest.raises(LanguageNotInstalled, match=r"Installed: .*eng.*rus.*apt-get install"):
            engine.check(Options(lang=lang))
    engine.check(Options(lang="rus+eng"))
    await engine.close()


@pytest.mark.parametrize(
    ("cpu_max", "cores"), [("max 100000", None), ("150000 100000", 2), ("10000 100000", 1), ("", None)]
)
def test_usable_cores_follow_the_cgroup_limit(tmp_path: Path, cpu_max: str, cores: int | None) -> None:
    limit = tmp_path / "cpu.max"
    limit.write_text(cpu_max)
    affinity = usable_cores(tmp_path / "absent")
    assert usable_cores(limit) == (affinity if cores is None else min(affinity, cores))
