"""Settings for a test."""

from ocr_service.config import Settings, load_settings


def settings_of(**variables: object) -> Settings:
    """Return settings from variables such as `ocr_max_pages=5`; a variable with the value None is not set."""
    return load_settings({name.upper(): str(value) for name, value in variables.items() if value is not None})
