"""Settings of the local storage and the spool."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from ocr_service.core.settings import SettingsGroup, env_prefix, folder


class StorageSettings(SettingsGroup):
    """The folder of results, and limits of the spool."""

    model_config = env_prefix("OCR_")

    output_dir: Annotated[Path | None, AfterValidator(folder)] = Field(
        None,
        description="Folder for results if there is no object storage. If there is one, `spool` below this "
        "folder holds the results that wait for it during an outage. `/app/output` in the image. Empty: "
        "nothing is written to disk.",
    )
    output_keep: float | None = Field(
        None,
        gt=0,
        le=36_500,
        description="Days after which results in this folder are deleted. Empty: never. A bucket has rules "
        "of its own for this.",
    )
    store_timeout: float = Field(
        5, gt=0, le=600, description="Maximum seconds that a request waits for the object storage."
    )
    spool_max_mb: int = Field(
        1024,
        ge=1,
        le=1_000_000,
        description="Maximum size of the spool, in MiB. Replicas with the same folder share it.",
    )

    @property
    def spool_dir(self) -> Path | None:
        """The folder of the spool."""
        return None if self.output_dir is None else self.output_dir / "spool"

    @property
    def spool_max_bytes(self) -> int:
        """Maximum size of the spool."""
        return self.spool_max_mb * 2**20
