"""The text that a PDF page itself holds, read without drawing the page."""

from ocr_service.decoding.text_layer.reading import read_text_layer
from ocr_service.decoding.text_layer.values import TextLayer

__all__ = ["TextLayer", "read_text_layer"]
