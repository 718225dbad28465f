"""Settings of uploads."""

import os
from pathlib import Path

from pydantic import Field, field_validator

from ocr_service.core.settings import SettingsGroup, env_prefix


class UploadSettings(SettingsGroup):
    """Size and speed of uploads, and the disk for them."""

    model_config = env_prefix("OCR_UPLOAD_")

    max_mb: int = Field(
        50,
        ge=1,
        le=2048,
        validation_alias="OCR_MAX_UPLOAD_MB",
        description="Maximum size of a file, in MiB.",
    )
    idle_timeout: float = Field(30, gt=0, le=3600, description="Seconds that an upload may pause.")
    min_rate: int = Field(
        10_000,
        ge=1,
        le=1_000_000_000,
        description="Minimum average speed of an upload, in bytes per second. It may be slower for "
        "`OCR_UPLOAD_IDLE_TIMEOUT` seconds, however fast it was before.",
    )
    timeout: float = Field(
        1800, gt=0, le=86_400, description="Seconds within which the body of a request must arrive."
    )
    dir: Path | None = Field(
        None,
        description="Folder for the parts of uploads beyond 128 KiB, until they are complete. Empty: the "
        "temporary folder of the system. The files have no names, and are gone when the service ends.",
    )
    disk_mb: int = Field(
        1024,
        ge=1,
        le=1_000_000,
        description="Maximum size of these files together, in MiB. Beyond it, the slowest upload is refused.",
    )

    @field_validator("dir")
    @classmethod
    def _is_writable(cls, folder: Path | None) -> Path | None:
        if folder is not None and not os.access(folder, os.W_OK | os.X_OK):
            raise ValueError("it is not a folder that this user may write to")
        return folder

    @property
    def max_bytes(self) -> int:
        """Maximum size of a file in bytes."""
        return self.max_mb * 2**20

    @property
    def disk_bytes(self) -> int:
        """Maximum size of the files for uploads."""
        return self.disk_mb * 2**20
