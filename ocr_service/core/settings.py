"""The base of the groups of settings.

Each group lies in the folder that uses it; `config.py` collects them and reads the environment.
"""

import os
import re
from collections.abc import Container
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from pydantic import AfterValidator, AliasGenerator, BaseModel, ConfigDict


class SettingsGroup(BaseModel):
    """Frozen values with defaults, built from environment variables or by the names of the fields."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        validate_by_alias=True,
        validate_by_name=True,
        allow_inf_nan=False,
    )


def env_prefix(prefix: str) -> ConfigDict:
    """Return the configuration of a group: a variable is the prefix and the name of the field in capitals."""
    return ConfigDict(alias_generator=AliasGenerator(validation_alias=lambda name: f"{prefix}{name}".upper()))


def without_credentials(url: str) -> str:
    """Return a valid URL without user, password and query, for logs and answers."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def is_url(url: str, schemes: Container[str]) -> bool:
    """Return whether this is a URL with one of these schemes, whose host and port are valid if it has any."""
    try:
        parts = urlsplit(url)
        # Access to the port and the encoding of the name raise ValueError if these are invalid; its message
        # can quote a part of a password.
        (parts.hostname or "").encode("idna")
        return parts.scheme in schemes and parts.port != 0 and not re.search(r"\s", url)
    except ValueError:
        return False


def http_url(url: str | None) -> str | None:
    """Validate a setting that is the URL of a server."""
    if url is not None and not (is_url(url, ("http", "https")) and urlsplit(url).hostname):
        raise ValueError("it must be a URL such as http://127.0.0.1:8080/v1")
    return url


def spelled(pattern: str, rule: str) -> AfterValidator:
    """Return a validator of a text that matches a pattern. rule: the pattern in words, "it must …"."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(rule)
        return text

    return AfterValidator(check)


def folder(path: Path | None) -> Path | None:
    """Validate a setting that is a folder, which may be made later."""
    # `Path.is_file` fails if a folder above may not be read.
    if path is not None and os.path.isfile(path):  # noqa: PTH113
        raise ValueError("it is not a folder")
    return path


def split_urls(urls: str) -> list[str]:
    """Split a list of URLs at its commas."""
    return [url for part in urls.split(",") if (url := part.strip())]


def http_urls(urls: str | None) -> str | None:
    """Validate a setting that lists the URLs of servers of one kind."""
    if urls is not None:
        listed = [http_url(url) or "" for url in split_urls(urls)]
        if not listed:
            raise ValueError("it must be a URL such as http://127.0.0.1:8080/v1")
        if len({without_credentials(url).rstrip("/") for url in listed}) < len(listed):
            raise ValueError("it names a server twice")
    return urls
