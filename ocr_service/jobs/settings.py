"""Settings of the jobs."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from ocr_service.core.settings import SettingsGroup, env_prefix, folder, is_url

_SCHEMES = ("postgresql", "postgres")


def _postgresql(url: SecretStr | None) -> SecretStr | None:
    if url is not None and not is_url(url.get_secret_value(), _SCHEMES):
        raise ValueError(
            "it must be a URL such as postgresql://user:password@host/database, with the special characters "
            "of the password percent-encoded"
        )
    return url


class JobSettings(SettingsGroup):
    """The database of jobs, and limits on their number, size and age."""

    model_config = env_prefix("OCR_JOBS_")

    url: Annotated[SecretStr | None, AfterValidator(_postgresql)] = Field(
        None,
        description="URL of a PostgreSQL database in which replicas share their jobs, such as "
        "`postgresql://user:password@host/database`. The documents are in the object storage or, without "
        "one, below `OCR_OUTPUT_DIR`, which the replicas must share. Empty: a file in the folder of the "
        "jobs, for one process.",
    )
    dir: Annotated[Path | None, AfterValidator(folder)] = Field(
        None,
        description="Folder of one process, in whose folder `jobs` its jobs are. `make run` sets "
        "`.cache/run/PORT`. Empty: `OCR_OUTPUT_DIR`.",
    )
    replicated: bool = Field(
        False,
        description="The service has several replicas: jobs are refused if they have no common database and "
        "no object storage, because one replica would not know the jobs of another.",
    )
    keep: float = Field(
        86_400,
        ge=60,
        le=31_536_000,
        description="Seconds for which a job that has ended stays, with its result.",
    )
    at_once: int = Field(
        4,
        ge=1,
        le=64,
        description="Jobs that a process reads at the same time; twice as many if that lets another caller "
        "begin. Each holds its document in memory.",
    )
    max: int = Field(1000, ge=1, le=1_000_000, description="Maximum open jobs of one caller (API key).")
    max_mb: int = Field(
        10_240,
        ge=1,
        le=10_000_000,
        description="Maximum size of the documents of one caller's jobs, in MiB, until they are deleted.",
    )
    callback_secret: SecretStr | None = Field(
        None,
        description="Secret with which calls of a `callback_url` are signed. Empty: a job cannot have one.",
    )
    max_pages: int = Field(5000, ge=1, le=100_000, description="Maximum pages of a job.")

    @property
    def callback_key(self) -> str | None:
        """The secret of callbacks; None if jobs cannot have any."""
        return self.callback_secret.get_secret_value() if self.callback_secret else None
