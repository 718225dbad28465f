"""The address of a vLLM server: its endpoints, and how it is named in logs, metrics and traces."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from ocr_service.core.settings import without_credentials


@dataclass(frozen=True, slots=True)
class VlmAddress:
    """Address of vLLM. url: OpenAI-compatible API, such as http://127.0.0.1:8080/v1. api_key: or None."""

    url: str = field(repr=False)
    api_key: str | None = field(default=None, repr=False)

    @property
    def without_credentials(self) -> str:
        """The address without user, password and query, for logs and /health."""
        return without_credentials(self.url)

    @property
    def span_attributes(self) -> Mapping[str, str | int | None]:
        """Attributes of the span of a call, as in the OpenTelemetry conventions for generative AI."""
        parts = urlsplit(self.url)
        return {
            "gen_ai.operation.name": "chat",
            "server.address": parts.hostname,
            "server.port": parts.port,
        }

    @property
    def authorization(self) -> dict[str, str]:
        """The Authorization header: from the key, or from the user and password in the address."""
        parts = urlsplit(self.url)
        if self.api_key:
            return {"Authorization": f"Bearer {self.api_key}"}
        if parts.username is None:
            return {}
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        return {"Authorization": f"Basic {b64encode(user.encode()).decode()}"}

    def api(self, path: str) -> str:
        """Return the address of an API endpoint."""
        return self._below(urlsplit(self.url).path.rstrip("/"), path)

    @property
    def health(self) -> str:
        """The address of vLLM's health check, which is not below the path of the API."""
        return self._below(self._root, "health")

    @property
    def metrics(self) -> str:
        """The address of vLLM's metrics, which lie beside its health check."""
        return self._below(self._root, "metrics")

    @property
    def _root(self) -> str:
        return urlsplit(self.url).path.rstrip("/").removesuffix("/v1")

    def _below(self, folder: str, name: str) -> str:
        parts = urlsplit(self.url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2], path=f"{folder}/{name}").geturl()
