"""The check of API keys."""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network

from starlette.types import ASGIApp, Receive, Scope, Send

from ocr_service.api.answers.problems import problem_response
from ocr_service.api.paths import OpenPaths
from ocr_service.core.errors import Unauthorized
from ocr_service.core.turns import Caller
from ocr_service.security.api_keys import ApiKeys, owner_of

API_KEY_HEADER = "X-API-Key"

_SCHEMES = (b"bearer", b"token")

_HOW_TO = f'Send it as "Authorization: Bearer KEY" or "{API_KEY_HEADER}: KEY".'


class Access:
    """ASGI middleware that checks the key of a request before its body is read."""

    def __init__(self, app: ASGIApp, keys: ApiKeys, open_paths: OpenPaths) -> None:
        self._app = app
        self._keys = keys
        self._open_paths = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with 401."""
        if scope["type"] != "http" or _path(scope) in self._open_paths:
            await self._app(scope, receive, send)
            return
        given = list(_given_keys(scope))
        # All of them: the time does not show which one is right.
        accepted = [key for key in given if self._keys.accepts(key)]
        if accepted:
            scope.setdefault("state", {})["owner"] = owner_of(accepted[0])
            await self._app(scope, receive, send)
            return
        problem = "The API key is unknown." if given else "An API key is required."
        await problem_response(Unauthorized(f"{problem} {_HOW_TO}"))(scope, receive, send)


def owner(scope: Scope) -> str:
    """Return the owner of the jobs and results of a request, from its key; "" if there are no keys."""
    found = scope.get("state", {}).get("owner", "")
    assert isinstance(found, str)
    return found


def caller_of(scope: Scope, is_job: bool = False) -> Caller:
    """Return the sender of a request: the owner of its key or, if there are no keys, the client's address."""
    name, client = owner(scope), scope.get("client")
    return Caller(name, is_job, _network(client[0]) if client and not name else "")


def _network(address: str) -> str:
    """Return the addresses that a client can choose from: in IPv6, a client has 2^64 of them."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    return str(ip_network((found, 64), strict=False)) if found.version == 6 else address


def _path(scope: Scope) -> str:
    """Return the path without a proxy's prefix."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def _given_keys(scope: Scope) -> Iterator[bytes]:
    """Yield the keys of all headers: a platform in front can use the Authorization header itself."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, key = value.partition(b" ")
            if scheme.lower() in _SCHEMES:
                yield key.strip()
        elif name == API_KEY_HEADER.lower().encode():
            yield value.strip()
