"""Settings of documents that are named by a URL."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from ocr_service.core.settings import SettingsGroup, env_prefix
from ocr_service.security.addresses import Allowlist

_PORTS = re.compile(r"[\s,]*[0-9]{1,5}([\s,]+[0-9]{1,5})*[\s,]*")


def _allowlist(value: Any) -> Any:
    return Allowlist.parse(value) if isinstance(value, str) else value


def _ports(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    ports = {int(number) for number in re.findall(r"[0-9]+", value)}
    if not _PORTS.fullmatch(value) or not all(1 <= port <= 65535 for port in ports):
        raise ValueError("a port is a number from 1 to 65535")
    return ports


class UrlSettings(SettingsGroup):
    """Allowed addresses, and timeouts."""

    model_config = env_prefix("OCR_URL_")

    allowlist: Annotated[Allowlist, BeforeValidator(_allowlist)] = Field(
        Allowlist(),
        description="Hosts that an `image_url` may reach besides the public internet: names, "
        "`*.example.com`, addresses and networks, separated by commas.",
    )
    ports: Annotated[frozenset[int], BeforeValidator(_ports)] = Field(
        frozenset({80, 443}), description="Ports that an `image_url` may name, separated by commas."
    )
    credentials: bool = Field(False, description="Allow a user and a password in an `image_url`.")
    connect_timeout: float = Field(
        10,
        gt=0,
        le=3600,
        description="Seconds for the DNS lookup, and again for the connection.",
    )
    read_timeout: float = Field(
        30, gt=0, le=3600, description="Seconds that the remote server may send nothing."
    )
    timeout: float = Field(
        120, gt=0, le=3600, description="Seconds for the whole download, redirects included."
    )
    s3: bool = Field(
        True, description="Allow an `image_url` to name an object in the bucket: `s3://bucket/key`."
    )
