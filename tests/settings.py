"""Settings for a test."""

from ocr_service.config import Settings, load_settings, variables


def settings_of(**given: object) -> Settings:
    """Return settings from variables such as `ocr_max_pages=5`; a variable with the value None is not set."""
    environment = {name.upper(): str(value) for name, value in given.items() if value is not None}
    known = {variable for group in variables().values() for variable in group}
    assert environment.keys() <= known, environment.keys() - known
    return load_settings(environment)
