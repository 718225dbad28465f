"""Settings of the log."""

from typing import Literal

from pydantic import Field

from ocr_service.core.settings import SettingsGroup, env_prefix

LogFormat = Literal["json", "text"]
LogLevel = Literal["debug", "info", "warning", "error"]


class LogSettings(SettingsGroup):
    """Level and format of the log."""

    model_config = env_prefix("OCR_LOG_")

    level: LogLevel = Field("info", description="Minimum log level: `debug`, `info`, `warning` or `error`.")
    format: LogFormat = Field(
        "json", description="Log format: `json`, one object a line, or `text`, which is easier to read."
    )
