"""Settings of the access control."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from ocr_service.core.settings import SettingsGroup, env_prefix, http_url
from ocr_service.security.api_keys import ApiKeys, parse_keys, parse_origins, read_keys


def _with_keys(text: SecretStr | None) -> SecretStr | None:
    _listed(text)
    return text


def _public_url(url: str | None) -> str | None:
    http_url(url)
    if url is not None and re.search(r"[?#@]", url):
        raise ValueError("it must be a URL without user, query and fragment")
    return url


def _file_with_keys(path: Path | None) -> Path | None:
    read_keys(path)
    return path


class AccessSettings(SettingsGroup):
    """API keys, the paths that need none, the origins of web pages, and the address of the service."""

    model_config = env_prefix("OCR_")

    api_keys: Annotated[SecretStr | None, AfterValidator(_with_keys)] = Field(
        None,
        description="API keys, separated by commas. A request must send one of them. If neither this nor the "
        "file is set, no key is needed.",
    )
    api_keys_file: Annotated[Path | None, AfterValidator(_file_with_keys)] = Field(
        None, description="File with further API keys, one a line, such as a mounted Kubernetes Secret."
    )
    metrics_public: bool = Field(False, description="Serve `/metrics` without a key.")
    docs: bool = Field(
        True, description="Serve `/ui`, `/docs` and `/openapi.json`. None of them needs a key."
    )
    cors_origins: Annotated[tuple[str, ...], BeforeValidator(parse_origins)] = Field(
        (),
        description="Origins whose web pages may call the service, such as `https://app.example.com`, "
        "separated by commas; `*` for all. Empty: none.",
    )

    public_url: Annotated[str | None, AfterValidator(_public_url)] = Field(
        None,
        description="Address of the service as clients see it, such as `https://ocr.example.com`; answers to "
        "PaddleOCR's clients contain it. Empty: the address of the request.",
    )

    @property
    def keys(self) -> ApiKeys:
        """The keys of both settings."""
        return ApiKeys(_listed(self.api_keys) + read_keys(self.api_keys_file))


def _listed(keys: SecretStr | None) -> list[str]:
    return [] if keys is None else parse_keys(keys.get_secret_value())
