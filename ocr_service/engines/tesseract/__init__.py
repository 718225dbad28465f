"""The embedded CPU engine: Tesseract in this process, by tesserocr."""

from ocr_service.engines.tesseract.engine import TesseractEngine

__all__ = ["TesseractEngine"]
