"""Settings of the process: connections, liveness and shutdown."""

from pydantic import Field

from ocr_service.core.settings import SettingsGroup, env_prefix


class ConnectionSettings(SettingsGroup):
    """The number of connections, and the timeouts of one."""

    model_config = env_prefix("OCR_")

    max_connections: int = Field(
        4096,
        ge=1,
        le=60_000,
        description="Maximum number of connections, less if the limit of open files is lower. Beyond it, the "
        "connection whose client has sent nothing for the longest time is closed.",
    )

    header_timeout: float = Field(
        10, gt=0, le=3600, description="Seconds within which the headers of a request must arrive."
    )
    answer_idle_timeout: float = Field(
        60,
        gt=0,
        le=3600,
        description="Seconds after which a connection is closed if its client reads nothing of the answer.",
    )


class LifecycleSettings(SettingsGroup):
    """Liveness and shutdown of the service."""

    model_config = env_prefix("OCR_")

    drain_timeout: float = Field(
        30, ge=0, le=3600, description="Seconds that running requests have to finish after SIGTERM."
    )
    stall_timeout: float = Field(
        10,
        gt=0,
        le=3600,
        description="Seconds that the event loop may be blocked before `/health/live` fails.",
    )
