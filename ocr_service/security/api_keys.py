"""API keys, and the allowed origins of web pages (CORS)."""

import hmac
import re
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

# Visible ASCII without the comma: valid in a header, in a shell, in a file and in a list.
_KEY = re.compile(r"[!-+\--~]+")
_ORIGIN = re.compile(r"\*|[a-z][a-z0-9+.-]*://[^\s/?#@*]+")


class ApiKeys:
    """Valid API keys, held as digests. False if there are none."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._digests = [_digest(key.encode("ascii")) for key in keys]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def accepts(self, key: bytes) -> bool:
        """Return whether the key is valid. The time does not depend on the number of matching characters."""
        digest = _digest(key)
        # Not `any`, which would stop at the first match.
        return sum(hmac.compare_digest(digest, known) for known in self._digests) > 0


def owner_of(key: bytes) -> str:
    """Return the name under which the jobs of a key are kept, from which the key cannot be found."""
    return hmac.new(key, b"owner of jobs", sha256).hexdigest()[:32]


def _digest(key: bytes) -> bytes:
    return sha256(key).digest()


def parse_keys(text: str) -> list[str]:
    """Split keys at commas and line ends. Raises ValueError for an invalid key, without quoting it."""
    keys = [key.strip() for key in re.split(r"[,\r\n]", text)]
    keys = [key for key in keys if key]
    if not keys:
        raise ValueError("it contains no key")
    if not all(map(_KEY.fullmatch, keys)):
        raise ValueError("a key must consist of visible ASCII characters, without spaces")
    return keys


def read_keys(path: Path | None) -> list[str]:
    """Read keys from a file. Raises ValueError if it cannot be read or has no key."""
    if path is None:
        return []
    try:
        return parse_keys(path.read_text("utf-8-sig"))
    except OSError as error:
        raise ValueError(f"it cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None


def parse_origins(text: str) -> list[str]:
    """Split origins at commas and spaces; `*` allows all. Raises ValueError for an invalid origin."""
    origins = re.findall(r"[^\s,]+", text)
    if not all(map(_ORIGIN.fullmatch, origins)):
        raise ValueError("an origin must be * or like https://app.example.com, without a path")
    return origins
