"""Settings of the choice of the engine."""

from enum import StrEnum

from pydantic import Field

from ocr_service.core.settings import SettingsGroup, env_prefix
from ocr_service.engines import PADDLEOCR_VL, TESSERACT


class EngineChoice(StrEnum):
    """The values of OCR_ENGINE."""

    AUTO = "auto"
    TESSERACT = TESSERACT
    PADDLEOCR_VL = PADDLEOCR_VL


class EngineSettings(SettingsGroup):
    """Which engine reads the pages, and when it starts."""

    model_config = env_prefix("OCR_")

    choice: EngineChoice = Field(
        EngineChoice.AUTO,
        validation_alias="OCR_ENGINE",
        description="Engine: `tesseract`, `paddleocr-vl` or `auto`. `auto` chooses PaddleOCR-VL if it is "
        "installed and there is a GPU or a vLLM server, and Tesseract otherwise.",
    )
    preload: bool = Field(
        False,
        description="Start PaddleOCR-VL in the background together with the service, not with the first "
        "request.",
    )
