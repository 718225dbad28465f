"""A document by its address: fetched within limits, over connections that the rules allow."""

import asyncio
import os
import ssl
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus

import httpcore
import httpx

from ocr_service.core.errors import EmptyFile, FetchFailed, InvalidUrl, TooManyBytes, UrlNotAllowed
from ocr_service.sources.checked_network import CheckedNetwork, Resolver, Rules, look_up

Hold = Callable[[int], None]

_DEFAULT_PORTS = {"http": 80, "https": 443}
_REDIRECTS = (301, 302, 303, 307, 308)
# 203: the file as a proxy has changed it.
_FILE_COMES = (HTTPStatus.OK, HTTPStatus.NON_AUTHORITATIVE_INFORMATION)
# Those that zlib tells apart by itself; we ask for none.
_ZLIB_ENCODINGS = ("gzip", "x-gzip", "deflate")
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32


class Fetcher:
    """Fetches documents by their addresses; belongs to one event loop.

    No proxy that the environment names is used: the check would then be the proxy's.
    """

    def __init__(self, rules: Rules, resolver: Resolver = look_up) -> None:
        self._rules = rules
        self._network = CheckedNetwork(rules, resolver)
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
