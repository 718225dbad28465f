"""The embedded CPU engine: Tesseract in worker processes, by tesserocr."""

from ocr_service.engines.tesseract.engine import TesseractEngine

__all__ = ["TesseractEngine"]
