"""The choice of the engine, by the settings and by the capabilities of this machine."""

from dataclasses import dataclass

from ocr_service.engines import PADDLEOCR_VL, TESSERACT
from ocr_service.engines.paddleocr_vl.presence import detect_backend, missing_parts
from ocr_service.engines.paddleocr_vl.settings import PaddleOcrVlSettings, VlmSettings
from ocr_service.engines.settings import EngineChoice, EngineSettings

_HOW_TO_ADD_PADDLEOCR_VL = "`make run-gpu` installs PaddleOCR-VL and vLLM, and serves with them"


@dataclass(frozen=True, slots=True)
class Choice:
    """The name of an engine.

    reason: for the log. vlm_unused: a vLLM server is configured, and `auto` cannot use it.
    """

    name: str
    reason: str
    vlm_unused: bool = False


def choose(engine: EngineSettings, paddleocr_vl: PaddleOcrVlSettings, vlm: VlmSettings) -> Choice:
    """Return the engine that is set; `auto` means PaddleOCR-VL if it can work here, or else Tesseract."""
    if engine.choice is not EngineChoice.AUTO:
        return Choice(engine.choice, f"OCR_ENGINE={engine.choice}")
    backend = detect_backend(vlm.url)
    if backend is None:
        return Choice(TESSERACT, "there is no GPU and no vLLM server")
    missing = missing_parts(vlm.url, paddleocr_vl.layout_engine, vlm.not_started)
    if not missing:
        return Choice(PADDLEOCR_VL, backend)
    reason = f"{backend}, but {'; '.join(missing)}; {_HOW_TO_ADD_PADDLEOCR_VL}"
    return Choice(TESSERACT, reason, vlm_unused=vlm.url is not None)
