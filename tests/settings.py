"""Settings for a test."""

from ocr_service.config import Settings, load_settings


def settings_of(**variables: object) -> Settings:
    """Return the settings with these variables set, such as `ocr_max_pages=5`; None leaves one unset."""
    return load_settings({name.upper(): str(value) for name, value in variables.items() if value is not None})
