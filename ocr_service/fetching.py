"""A document by its address: fetched within limits, and only from where the rules allow.

A name is looked up once, in the network backend below. Every address that is found is checked there, and the
connection goes to one of these very addresses, so a name that points elsewhere a moment later gains nothing.
Addresses in numbers, in whatever form, take the same way, and so does each redirect.
"""

import asyncio
import os
import socket
import ssl
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address

import httpcore
import httpx

from ocr_service.addresses import Allowlist
from ocr_service.errors import EmptyFile, FetchFailed, InvalidUrl, TooManyBytes, UrlNotAllowed
from ocr_service.workers import Workers

# Name and port → addresses, in the order in which they are to be tried; blocks, and raises gaierror.
Resolver = Callable[[str, int], Sequence[str]]

Hold = Callable[[int], None]

_DEFAULT_PORTS = {"http": 80, "https": 443}
_REDIRECTS = (301, 302, 303, 307, 308)
# 203: the file as a proxy has changed it.
_FILE_COMES = (HTTPStatus.OK, HTTPStatus.NON_AUTHORITATIVE_INFORMATION)
# Those that zlib tells apart by itself; we ask for none.
_ZLIB_ENCODINGS = ("gzip", "x-gzip", "deflate")
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
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


class Fetcher:
    """Fetches documents by their addresses; belongs to one event loop.

    No proxy that the environment names is used: the check would then be the proxy's.
    """

    def __init__(self, rules: Rules, resolver: Resolver = look_up) -> None:
        self._rules = rules
        self._network = _CheckedNetwork(rules, resolver)
        self._tls: ssl.SSLContext | None = None

    async def fetch(self, url: str, hold: Hold = lambda _: None) -> bytes:
        """Return the file; raises InvalidUrl, UrlNotAllowed, FetchFailed, TooManyBytes or EmptyFile.

        hold: told of bytes before they are kept; what it raises ends the fetching.
        """
        try:
            async with asyncio.timeout(self._rules.total_seconds):
                data = await self._follow(_parsed(url), hold)
        except TimeoutError:
            raise FetchFailed(f"The file has not come within {self._rules.total_seconds:g} s.") from None
        if not data:
            raise EmptyFile("The file has no bytes.")
        return data

    def close(self) -> None:
        """Look up no more names."""
        self._network.close()

    async def _follow(self, url: httpx.URL, hold: Hold) -> bytes:
        if self._tls is None:
            # In a thread: it reads every authority's certificate.
            self._tls = await asyncio.to_thread(httpx.create_ssl_context)
        async with httpcore.AsyncConnectionPool(
            ssl_context=self._tls, network_backend=self._network, max_keepalive_connections=0
        ) as connections:
            for _ in range(self._rules.max_redirects + 1):
                found = await self._get(connections, url, hold)
                if isinstance(found, bytes):
                    return found
                url = found
        raise FetchFailed(f"The address redirects more than {self._rules.max_redirects} times.")

    async def _get(
        self, connections: httpcore.AsyncConnectionPool, url: httpx.URL, hold: Hold
    ) -> bytes | httpx.URL:
        """Return the file, or the address to look for it instead."""
        self._refuse_unless_allowed(url)
        limits = self._rules
        timeouts = {
            "connect": limits.connect_seconds,
            "read": limits.read_seconds,
            "write": limits.read_seconds,
        }
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        with _in_our_words(limits):
            async with connections.stream(
                "GET", target, headers=_headers(url), extensions={"timeout": timeouts}
            ) as response:
                headers = httpx.Headers(response.headers)
                if response.status in _REDIRECTS and "location" in headers:
                    return _redirected(url, headers["location"])
                if response.status not in _FILE_COMES:
                    raise FetchFailed(f"The other side answered {_status(response.status)}.")
                data = await _body(response, headers, limits.max_bytes, hold)
        encoding = headers.get("content-encoding", "")
        decoded = await asyncio.to_thread(_decoded, data, encoding, limits.max_bytes)
        hold(max(0, len(decoded) - len(data)))
        return decoded

    def _refuse_unless_allowed(self, url: httpx.URL) -> None:
        if url.scheme not in _DEFAULT_PORTS:
            raise UrlNotAllowed("Documents are fetched over http and https alone.")
        if url.userinfo and not self._rules.credentials:
            raise UrlNotAllowed(
                "The address holds a user or a password, which OCR_URL_CREDENTIALS can allow."
            )
        if (url.port or _DEFAULT_PORTS[url.scheme]) not in self._rules.ports:
            raise UrlNotAllowed("The address names a port that OCR_URL_PORTS does not open.")


class _CheckedNetwork(httpcore.AsyncNetworkBackend):
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
        allowed = all(allowlist.admits(ip_address(address)) for address in addresses)
        if not (allowed or allowlist.opens_name(host)):
            raise UrlNotAllowed(
                "The address leads to a host off the public internet, which OCR_URL_ALLOWLIST can open."
            )


def _parsed(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        raise InvalidUrl("It cannot be read as a URL.") from None
    if not parsed.scheme or (parsed.scheme in _DEFAULT_PORTS and not parsed.host):
        raise InvalidUrl("A URL looks like https://example.com/scan.jpg.")
    return parsed


def _redirected(url: httpx.URL, location: str) -> httpx.URL:
    try:
        return _parsed(str(url.join(location)))
    except (InvalidUrl, httpx.InvalidURL, ValueError):
        raise FetchFailed("The other side redirects to what is no URL.") from None


def _headers(url: httpx.URL) -> list[tuple[bytes, bytes]]:
    headers = [
        (b"Host", url.netloc),
        (b"User-Agent", b"ocr-service"),
        (b"Accept", b"*/*"),
        (b"Accept-Encoding", b"identity"),
        (b"Connection", b"close"),
    ]
    if url.userinfo:
        credentials = b64encode(f"{url.username}:{url.password}".encode())
        headers.append((b"Authorization", b"Basic " + credentials))
    return headers


def _status(number: int) -> str:
    """Name a status in HTTP's own words: the other side's could say anything."""
    try:
        return f"{number} {HTTPStatus(number).phrase}"
    except ValueError:
        return str(number)


async def _body(response: httpcore.Response, headers: httpx.Headers, max_bytes: int, hold: Hold) -> bytes:
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise TooManyBytes.beyond(max_bytes)
    data = bytearray()
    try:
        async for chunk in response.aiter_stream():
            if len(data) + len(chunk) > max_bytes:
                raise TooManyBytes.beyond(max_bytes)
            hold(len(chunk))
            data += chunk
    except (httpcore.RemoteProtocolError, httpcore.NetworkError) as error:
        raise FetchFailed("The connection ended before the whole file had come.") from error
    return bytes(data)


def _decoded(data: bytes, encoding: str, max_bytes: int) -> bytes:
    """Undo an encoding that we did not ask for; never makes more than one byte too many."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity") or not data:
        return data
    if encoding not in _ZLIB_ENCODINGS:
        raise FetchFailed("The other side sent the file compressed, which it was asked not to do.")
    decoder = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        decoded = decoder.decompress(data, max_bytes + 1)
    except zlib.error:
        raise FetchFailed("The other side sent the file compressed, and damaged.") from None
    if len(decoded) > max_bytes:
        raise TooManyBytes.beyond(max_bytes)
    if not decoder.eof or decoder.unused_data:
        raise FetchFailed("The other side sent the file compressed, and not in one whole piece.")
    return decoded


@contextmanager
def _in_our_words(rules: Rules) -> Iterator[None]:
    """Translate what can go wrong between two machines; what the other side sends is not repeated."""
    try:
        yield
    except httpcore.ConnectTimeout:
        raise FetchFailed(f"There was no connection within {rules.connect_seconds:g} s.") from None
    except httpcore.TimeoutException:
        raise FetchFailed(f"The other side sent nothing for {rules.read_seconds:g} s.") from None
    except httpcore.RemoteProtocolError as error:
        raise FetchFailed("The other side gave no answer, or none in HTTP.") from error
    except (httpcore.NetworkError, ssl.SSLError) as error:
        raise FetchFailed(f"The other side cannot be reached: {_reason(error)}.") from error


def _reason(error: BaseException | None) -> str:
    """Say in a few words, without addresses, what kept two machines from talking."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"its certificate is not valid ({error.verify_message.rstrip('.')})"
        if isinstance(error, ssl.SSLError):
            return "no secure connection came about"
        if isinstance(error, OSError) and error.errno:
            return os.strerror(error.errno)
        # httpcore's pool takes the cause away, and leaves the context.
        error = error.__cause__ or error.__context__
    return "the connection broke"
