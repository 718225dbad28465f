"""Connections to the addresses that the rules allow, and to no others.

A name is looked up once, here. Every address that is found is checked, and the connection goes to one of
these addresses, so a name that points elsewhere a moment later gains nothing. An address given as numbers
takes the same way, and so does each redirect.
"""

import asyncio
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

import httpcore

from ocr_service.core.errors import FetchFailed, UrlNotAllowed
from ocr_service.runtime.threads import Workers
from ocr_service.security.addresses import Allowlist

# Name and port → addresses, in the order in which they are to be tried; blocks, and raises gaierror.
Resolver = Callable[[str, int], Sequence[str]]

# A slow name server holds a thread as long as it likes.
_LOOKUPS_AT_A_TIME = 16


@dataclass(frozen=True, slots=True)
class Rules:
    """What is fetched, and from where.

    max_bytes: of a file, as it travels and as it is. allowlist: opened beside the public internet.
    credentials: whether an address may hold a user and a password.
    connect_seconds: for the name's look-up, and for a connection. read_seconds: until the next bytes come.
    total_seconds: for everything, redirects included.
    """

    max_bytes: int
    allowlist: Allowlist
    ports: frozenset[int]
    credentials: bool
    connect_seconds: float
    read_seconds: float
    total_seconds: float
    max_redirects: int = 3


def look_up(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver."""
    # As bytes: of a name in letters, Python's own codec refuses what the resolver only does not find.
    found = socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to addresses that the rules allow, and to no others."""

    def __init__(self, rules: Rules, resolver: Resolver) -> None:
        self._rules = rules
        self._resolver = resolver
        self._lookups = Workers(_LOOKUPS_AT_A_TIME, "look-up")
        self._plain = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the base class says so
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Look the host up, check what is found, and connect to the first address that answers."""
        addresses = await self._look_up(host, port)
        self._refuse_unless_allowed(host, addresses)
        for address in addresses[:-1]:
            try:
                return await self._plain.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._plain.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)

    def close(self) -> None:
        """Look up no more names."""
        self._lookups.close()

    async def _look_up(self, host: str, port: int) -> Sequence[str]:
        seconds = self._rules.connect_seconds
        try:
            async with asyncio.timeout(seconds):
                return await self._lookups.run(self._resolver, host, port)
        except TimeoutError:
            raise FetchFailed(f"The host's name was not found within {seconds:g} s.") from None
        except socket.gaierror as error:
            unknown = error.errno in (socket.EAI_NONAME, socket.EAI_NODATA)
            raise FetchFailed(
                "The host's name is not known." if unknown else "The host's name could not be looked up."
            ) from error

    def _refuse_unless_allowed(self, host: str, addresses: Sequence[str]) -> None:
        allowlist = self._rules.allowlist
        # All of them: a name with a public and a private address is on its way from one to the other, or made
        # to reach the private one; which of them we met would be chance.
        allowed = all(allowlist.allows_address(ip_address(address)) for address in addresses)
        if not (allowed or allowlist.allows_name(host)):
            raise UrlNotAllowed(
                "The address leads to a host off the public internet, which OCR_URL_ALLOWLIST can open."
            )
