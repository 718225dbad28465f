"""Paths that the middleware treats differently: open without a key, or logged at DEBUG only."""

# Scripts and styles of Swagger UI; FastAPIOffline serves them here.
ASSETS = "/static-offline-docs"

# Polled by probes and by Prometheus.
QUIET = {"/health", "/health/live", "/health/ready", "/health/vllm", "/metrics"}

# The probes of a platform have no key.
_ALWAYS = ("/health", "/health/", "/version")
# A browser loads these before a user can enter a key; they are the same for all users.
_PAGES = ("/", "/ui", "/ui/", "/docs", "/openapi.json", f"{ASSETS}/")
_METRICS = ("/metrics",)
# Clients fetch these without a key: each address has a signature instead, which its route checks.
SIGNED = "/api/v2/ocr/results"


class OpenPaths:
    """The paths that need no key. All other paths need one, even if no route has them."""

    def __init__(self, pages: bool, metrics: bool) -> None:
        paths = (*_ALWAYS, f"{SIGNED}/") + pages * _PAGES + metrics * _METRICS
        self._exact = set(paths)
        self._below = tuple(path for path in paths if path.endswith("/") and path != "/")

    def __contains__(self, path: str) -> bool:
        return path in self._exact or path.startswith(self._below)
