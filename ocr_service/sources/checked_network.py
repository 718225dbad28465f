"""TCP connections to allowed addresses only.

A host name is resolved once, here. Every resolved address is checked, and the connection goes to one of them,
so DNS rebinding gains nothing. Numeric addresses and redirects pass the same check.
"""

import asyncio
import socket
from collections.abc import Callable, Iterable, Sequence
from ipaddress import ip_address
from typing import Any

import httpcore

from ocr_service.core.errors import FetchFailed, UrlNotAllowed
from ocr_service.runtime.threads import Workers
from ocr_service.sources.bounded_head import BoundedHead
from ocr_service.sources.settings import UrlSettings

# Host and port → addresses in the order to try; blocks, and raises gaierror.
Resolver = Callable[[str, int], Sequence[str]]

# A slow name server blocks a thread for as long as it likes.
_MAX_LOOKUPS = 16


def look_up(host: str, port: int) -> Sequence[str]:
    """Resolve a host name with the resolver of the system."""
    # As bytes: for a str, the IDNA codec of Python raises for names that the resolver merely does not find.
    found = socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Network backend of httpcore that connects to allowed addresses only."""

    def __init__(self, settings: UrlSettings, resolver: Resolver) -> None:
        self._settings = settings
        self._resolver = resolver
        self._lookups = Workers(_MAX_LOOKUPS, "look-up")
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature of the base class
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve the host, check all its addresses, and connect to the first one that answers."""
        addresses = await self._resolve(host, port)
        self._check(host, addresses)
        return BoundedHead(await self._connected(addresses, port, timeout, local_address, socket_options))

    def close(self) -> None:
        """Stop the threads for name resolution."""
        self._lookups.close()

    async def _connected(
        self, addresses: Sequence[str], port: int, *options: Any
    ) -> httpcore.AsyncNetworkStream:
        for address in addresses[:-1]:
            try:
                return await self._backend.connect_tcp(address, port, *options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._backend.connect_tcp(addresses[-1], port, *options)

    async def _resolve(self, host: str, port: int) -> Sequence[str]:
        seconds = self._settings.connect_timeout
        try:
            async with asyncio.timeout(seconds):
                return await self._lookups.run(self._resolver, host, port)
        except TimeoutError:
            raise FetchFailed(f"The host name was not resolved within {seconds:g} s.") from None
        except socket.gaierror as error:
            unknown = error.errno in (socket.EAI_NONAME, socket.EAI_NODATA)
            raise FetchFailed(
                "The host name does not exist." if unknown else "The host name could not be resolved."
            ) from error

    def _check(self, host: str, addresses: Sequence[str]) -> None:
        allowlist = self._settings.allowlist
        # All must be allowed: a name with a public and a private address is probably a rebinding attack.
        allowed = all(allowlist.allows_address(ip_address(address)) for address in addresses)
        if not (allowed or allowlist.allows_name(host)):
            raise UrlNotAllowed("The host is not on the public internet. OCR_URL_ALLOWLIST can allow it.")
