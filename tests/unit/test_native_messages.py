"""C libraries write nothing to standard error."""

import ctypes

import pytest
from tesserocr import tesserocr

from ocr_service.engines.tesseract import TesseractEngine
from ocr_service.engines.tesseract.settings import TesseractSettings

pytestmark = pytest.mark.anyio


async def test_leptonica_writes_nothing_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    engine = TesseractEngine(TesseractSettings(lang="eng"), page_seconds=300)
    await engine.start()
    await engine.close()
    assert not ctypes.CDLL(tesserocr.__file__).pixCreate(0, 0, 1), "an error in Leptonica"
    assert capfd.readouterr().err == ""
