"""OCR engines, one package each, and the lazy start that they share."""

TESSERACT = "tesseract"
PADDLEOCR_VL = "paddleocr-vl"
