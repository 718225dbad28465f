"""The base of the groups of settings.

Each group lies in the folder that uses it; `config.py` collects them and reads the environment.
"""

from urllib.parse import urlsplit, urlunsplit

from pydantic import AliasGenerator, BaseModel, ConfigDict


class SettingsGroup(BaseModel):
    """Frozen values with defaults, built from environment variables or by the names of the fields."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, validate_by_alias=True, validate_by_name=True
    )


def env_prefix(prefix: str) -> ConfigDict:
    """Return the configuration of a group: a variable is the prefix and the name of the field in capitals."""
    return ConfigDict(alias_generator=AliasGenerator(validation_alias=lambda name: f"{prefix}{name}".upper()))


def without_credentials(url: str) -> str:
    """Return a valid URL without user, password and query, for logs and answers."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def http_url(url: str | None) -> str | None:
    """Validate a setting that is the URL of a server."""
    if url is not None:
        parts = urlsplit(url)
        # Access to the port and the encoding of the name raise ValueError if these are invalid.
        name = (parts.hostname or "").encode("idna")
        if parts.scheme not in ("http", "https") or not name or parts.port == 0:
            raise ValueError("it must be a URL such as http://127.0.0.1:8080/v1")
    return url


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
