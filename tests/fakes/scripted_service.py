"""The real service with the scripted engine, for uvicorn in a separate process."""

import os

from ocr_service.config import load_settings
from ocr_service.telemetry import tracing
from ocr_service.telemetry.logs import configure_logging
from server import choose_storage, create_app
from tests.fakes.scripted_engine import ScriptedEngine

_SETTINGS = load_settings()
configure_logging(_SETTINGS.logs.level, _SETTINGS.logs.format)
tracing.enable(os.environ)
app = create_app(_SETTINGS, ScriptedEngine(), choose_storage(_SETTINGS))
