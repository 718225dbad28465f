"""Checks of a machine before the service is started on it: `python -m ocr_service.preflight`."""
