"""Paths that the middleware treats apart: open without a key, or left out of the log."""

# Where FastAPIOffline puts what the page loads.
ASSETS = "/static-offline-docs"

# Asked again and again, by machines.
QUIET = {"/health", "/health/live", "/health/ready", "/health/vllm", "/metrics"}

# A platform's probes have no key.
_ALWAYS = ("/health", "/health/", "/version")
# A browser asks for these before anybody can enter a key; what they say is the same for everybody.
_DOCUMENTATION = ("/", "/docs", "/openapi.json", f"{ASSETS}/")
_METRICS = ("/metrics",)


class OpenPaths:
    """The paths that need no key; all others do, also those that are not there."""

    def __init__(self, documentation: bool, metrics: bool) -> None:
        paths = _ALWAYS + documentation * _DOCUMENTATION + metrics * _METRICS
        self._exact = set(paths)
        self._below = tuple(path for path in paths if path.endswith("/") and path != "/")

    def __contains__(self, path: str) -> bool:
        return path in self._exact or path.startswith(self._below)
