"""The embedded CPU engine: Tesseract in worker processes, by tesserocr."""
