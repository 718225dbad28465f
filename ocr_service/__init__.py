"""The OCR service, in folders; the wiring and the outside world's adapters stand beside this package."""

__version__ = "1.0.0"
