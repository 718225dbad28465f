"""Settings of the Tesseract engine."""

from pathlib import Path

from pydantic import AliasChoices, Field

from ocr_service.core.settings import SettingsGroup, env_prefix


class TesseractSettings(SettingsGroup):
    """Languages, threads and language data."""

    model_config = env_prefix("OCR_TESSERACT_")

    lang: str = Field(
        "rus+eng",
        min_length=1,
        validation_alias="OCR_LANG",
        description="Default languages, joined by `+`, if a request names none. The service does not start "
        "if one of them is not installed.",
    )
    threads: int | None = Field(
        None,
        ge=1,
        le=512,
        description="Pages that are read in parallel. Empty: the number of cores that the process may use.",
    )
    tessdata_dir: Path | None = Field(
        None,
        validation_alias=AliasChoices("OCR_TESSDATA_DIR", "TESSDATA_PREFIX"),
        description="Folder with the `*.traineddata` files. Empty: `TESSDATA_PREFIX`, or else the folders of "
        "the usual distributions.",
    )
