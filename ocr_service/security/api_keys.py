"""Who may use the service: those with one of its API keys, and the web pages of some origins."""

import hmac
import re
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

# What a header can hold and no shell, file or list takes apart.
_KEY = re.compile(r"[!-+\--~]+")
_ORIGIN = re.compile(r"\*|[a-z][a-z0-9+.-]*://[^\s/?#@*]+")


class ApiKeys:
    """Keys of which a caller must show one; only their digests are kept. False where there are none."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._digests = [_digest(key.encode("ascii")) for key in keys]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def accepts(self, given: bytes) -> bool:
        """Say whether this is one of them, in a time that does not depend on how much of it is right."""
        digest = _digest(given)
        # Not `any`, which would stop at the first match.
        return sum(hmac.compare_digest(digest, known) for known in self._digests) > 0


def _digest(key: bytes) -> bytes:
    return sha256(key).digest()


def parse_keys(text: str) -> list[str]:
    """Return the keys of a list by commas or lines; raises ValueError, which quotes none, for a wrong one."""
    keys = [key.strip() for key in re.split(r"[,\r\n]", text)]
    keys = [key for key in keys if key]
    if not keys:
        raise ValueError("there is no key in it")
    if not all(map(_KEY.fullmatch, keys)):
        raise ValueError("a key has letters, digits and signs of ASCII alone, and no spaces")
    return keys


def read_keys(path: Path | None) -> list[str]:
    """Return the keys in a file; raises ValueError also for one that is empty: keys were meant."""
    if path is None:
        return []
    try:
        return parse_keys(path.read_text("utf-8-sig"))
    except OSError as error:
        raise ValueError(f"it cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError("it is not a text in UTF-8") from None


def parse_origins(text: str) -> list[str]:
    """Return the origins of a list by commas, or `*`; raises ValueError for what is none."""
    origins = re.findall(r"[^\s,]+", text)
    if not all(map(_ORIGIN.fullmatch, origins)):
        raise ValueError("an origin is * or such as https://app.example.com, without a path")
    return origins
