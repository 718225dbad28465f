"""OCR engines, one folder each, and the start that they share."""
