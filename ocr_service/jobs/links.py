"""Signed addresses of the results of jobs, for clients that fetch them without an API key."""

import hashlib
import hmac
import time

from ocr_service.core.errors import InvalidLink

# Seconds for which an address is valid; a client gets a new one with each status.
_SECONDS = 86_400


class Links:
    """Signs paths. key: the same in all replicas."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def signed(self, path: str) -> str:
        """Return the path with its end and its signature."""
        end = int(time.time()) + _SECONDS
        return f"{path}?e={end}&s={self._signature(path, end)}"

    def check(self, path: str, end: int, signature: str) -> None:
        """Raise InvalidLink unless the path was signed with this end, which is not reached."""
        if not hmac.compare_digest(self._signature(path, end).encode(), signature.encode()):
            raise InvalidLink("The signature does not belong to this address. Ask for the job again.")
        if end < time.time():
            raise InvalidLink("The address is no longer valid. Ask for the job again to get a new one.")

    def _signature(self, path: str, end: int) -> str:
        return hmac.new(self._key, f"{end} {path}".encode(), hashlib.sha256).hexdigest()
