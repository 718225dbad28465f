"""Settings of the cache."""

from pydantic import Field

from ocr_service.core.settings import SettingsGroup, env_prefix


class CacheSettings(SettingsGroup):
    """Size and lifetime of the cache."""

    model_config = env_prefix("OCR_CACHE_")

    memory_mb: int = Field(128, ge=0, le=65_536, description="Size of the cache in memory, in MiB.")
    store: bool = Field(
        True,
        description="Also keep results in the storage, below `cache/`: other replicas share them, and a "
        "restart does not lose them.",
    )
    shared: bool = Field(
        False,
        description="Let all API keys use the results of each other. Then `cached` in an answer shows that "
        "another caller had the same document read.",
    )
    lifetime: float = Field(
        604_800,
        ge=0,
        le=315_360_000,
        description="Seconds after which a cached result expires. 0 turns the cache off.",
    )

    @property
    def memory_bytes(self) -> int:
        """Size of the cache in memory."""
        return self.memory_mb * 2**20
