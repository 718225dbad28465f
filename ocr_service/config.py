"""All settings. They are read from the environment once, at the start, and passed on as values."""

import difflib
import os
import re
from collections.abc import Mapping

from pydantic import AliasChoices, BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from ocr_service.admission.settings import AdmissionSettings
from ocr_service.api.requests.settings import UploadSettings
from ocr_service.decoding.settings import DocumentSettings
from ocr_service.engines.paddleocr_vl.settings import PaddleOcrVlSettings, VlmSettings
from ocr_service.engines.settings import EngineSettings
from ocr_service.engines.tesseract.settings import TesseractSettings
from ocr_service.jobs.settings import JobSettings
from ocr_service.pipeline.settings import CacheSettings
from ocr_service.runtime.settings import ConnectionSettings, LifecycleSettings
from ocr_service.security.settings import AccessSettings
from ocr_service.sources.settings import UrlSettings
from ocr_service.storage.settings import StorageSettings
from ocr_service.telemetry.settings import LogSettings
from s3_storage import S3Settings

_PREFIX = "OCR_"
# Kubernetes sets these variables in every container if the name of a Service begins with "ocr".
_SERVICE_LINK = re.compile(r"OCR(_\w+)?_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_\w+)?)")


class ConfigurationError(Exception):
    """A setting is unknown or invalid. The message names the variable, never the value of a secret."""


class Settings(BaseModel):
    """Every setting of the service, in groups."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    engine: EngineSettings
    tesseract: TesseractSettings
    paddleocr_vl: PaddleOcrVlSettings
    vlm: VlmSettings
    access: AccessSettings
    documents: DocumentSettings
    uploads: UploadSettings
    urls: UrlSettings
    admission: AdmissionSettings
    connections: ConnectionSettings
    lifecycle: LifecycleSettings
    cache: CacheSettings
    jobs: JobSettings
    storage: StorageSettings
    s3: S3Settings
    logs: LogSettings


def load_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from the environment; raises ConfigurationError."""
    _refuse_unknown(environment)
    # A Kubernetes Secret often ends with the line break that an editor added. An empty variable counts as
    # absent.
    given = {name.upper(): text for name, value in environment.items() if (text := value.strip())}
    try:
        return Settings.model_validate(dict.fromkeys(Settings.model_fields, given), extra="ignore")
    except ValidationError as error:
        raise ConfigurationError("; ".join(map(_sentence, error.errors()))) from None


def variables() -> dict[str, dict[str, FieldInfo]]:
    """Return the environment variables of each group, with their fields."""
    return {name: _variables_of(group) for name, group in Settings.model_fields.items()}


def _variables_of(group: FieldInfo) -> dict[str, FieldInfo]:
    assert group.annotation is not None
    fields: dict[str, FieldInfo] = group.annotation.model_fields
    return {_variable(field): field for field in fields.values()}


def _variable(field: FieldInfo) -> str:
    alias = field.validation_alias
    variable = alias.choices[0] if isinstance(alias, AliasChoices) else alias
    assert isinstance(variable, str)
    return variable


def _sentence(error: ErrorDetails) -> str:
    # The location of an error is the group and the variable. Our own messages have a prefix.
    return f"{error['loc'][1]}: {error['msg'].removeprefix('Value error, ')}"


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    known = [variable for group in variables().values() for variable in group]
    for name in environment:
        if _is_ours(name.upper()) and name.upper() not in known:
            close = difflib.get_close_matches(name.upper(), known, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise ConfigurationError(f"There is no setting {name}.{hint}")


def _is_ours(name: str) -> bool:
    return name.startswith(_PREFIX) and not _SERVICE_LINK.fullmatch(name)
