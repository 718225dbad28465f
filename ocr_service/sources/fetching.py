"""Fetches documents by URL, within limits and over checked connections."""

import asyncio
import os
import ssl
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from http import HTTPStatus

import httpcore
import httpx

from ocr_service.core.errors import EmptyFile, FetchFailed, InvalidUrl, TooManyBytes, UrlNotAllowed
from ocr_service.runtime.pace import Pace
from ocr_service.sources.checked_network import CheckedNetwork, Resolver, look_up
from ocr_service.sources.content_encoding import decoded
from ocr_service.sources.settings import UrlSettings

_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_REDIRECTS = 3
_REDIRECTS = (301, 302, 303, 307, 308)
# 203: a proxy has changed the file.
_SUCCESS = (HTTPStatus.OK, HTTPStatus.NON_AUTHORITATIVE_INFORMATION)

# Each chunk takes 0.1 ms of the event loop, without a pause while chunks are there. So groups of chunks that
# have less than _SMALL bytes on average take turns, of all downloads together.
_GROUP, _SMALL = 32, 512
_SECONDS_A_GROUP = 0.05


class Fetcher:
    """Fetches documents by URL; belongs to one event loop.

    Proxies of the environment are not used, because the address check would then be up to the proxy.
    """

    def __init__(self, settings: UrlSettings, max_bytes: int, resolver: Resolver = look_up) -> None:
        self._settings = settings
        self._max_bytes = max_bytes
        self._network = CheckedNetwork(settings, resolver)
        self._small_chunks = Pace(_SECONDS_A_GROUP)
        self._tls: ssl.SSLContext | None = None

    async def fetch(self, url: str) -> AsyncGenerator[bytes]:
        """Yield the file in chunks.

        Raises InvalidUrl, UrlNotAllowed, FetchFailed, TooManyBytes or EmptyFile. Close the generator to
        abort the download.
        """
        seconds = self._settings.timeout
        deadline = asyncio.get_running_loop().time() + seconds
        is_empty = True
        async with aclosing(self._follow(_parsed(url))) as chunks:
            while True:
                try:
                    # Around each step: around a `yield`, the timeout would also cancel the consumer.
                    async with asyncio.timeout_at(deadline):
                        chunk = await anext(chunks, None)
                except TimeoutError:
                    raise FetchFailed(f"The download took more than {seconds:g} s.") from None
                if chunk is None:
                    break
                is_empty = False
                yield chunk
        if is_empty:
            raise EmptyFile("The file has no bytes.")

    def check(self, url: str) -> None:
        """Raise InvalidUrl or UrlNotAllowed for a URL that cannot be used, without connecting."""
        self._check(_parsed(url))

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """Send a body to an allowed address, and return the status; redirects are not followed.

        Raises InvalidUrl, UrlNotAllowed or FetchFailed.
        """
        parsed, seconds = _parsed(url), self._settings.read_timeout
        given = [(name.encode(), value.encode()) for name, value in headers.items()]
        length = (b"Content-Length", str(len(body)).encode())
        try:
            async with (
                asyncio.timeout(seconds),
                self._connections() as connections,
                self._response(connections, parsed, "POST", [*given, length], body) as response,
            ):
                return response.status
        except TimeoutError:
            raise FetchFailed(f"The server did not answer within {seconds:g} s.") from None

    def close(self) -> None:
        """Stop the threads for name resolution."""
        self._network.close()

    async def _follow(self, url: httpx.URL) -> AsyncGenerator[bytes]:
        """Follow redirects, and yield the file."""
        async with self._connections() as connections:
            for _ in range(_MAX_REDIRECTS + 1):
                async with self._response(connections, url) as response:
                    headers = httpx.Headers(response.headers)
                    if response.status not in _REDIRECTS or "location" not in headers:
                        async for chunk in _body(response, headers, self._max_bytes, self._small_chunks):
                            yield chunk
                        return
                url = _redirected(url, headers["location"])
        raise FetchFailed(f"The server redirected more than {_MAX_REDIRECTS} times.")

    @asynccontextmanager
    async def _connections(self) -> AsyncIterator[httpcore.AsyncConnectionPool]:
        if self._tls is None:
            # In a thread, because it loads all CA certificates.
            self._tls = await asyncio.to_thread(httpx.create_ssl_context)
        async with httpcore.AsyncConnectionPool(
            ssl_context=self._tls, network_backend=self._network, max_keepalive_connections=0
        ) as connections:
            yield connections

    @asynccontextmanager
    async def _response(
        self,
        connections: httpcore.AsyncConnectionPool,
        url: httpx.URL,
        method: str = "GET",
        headers: Sequence[tuple[bytes, bytes]] = (),
        body: bytes | None = None,
    ) -> AsyncIterator[httpcore.Response]:
        """Send the request if the URL is allowed; inside, network errors become FetchFailed."""
        self._check(url)
        settings = self._settings
        timeouts = {
            "connect": settings.connect_timeout,
            "read": settings.read_timeout,
            "write": settings.read_timeout,
        }
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        with _translated(settings):
            async with connections.stream(
                method,
                target,
                headers=[*_headers(url), *headers],
                content=body,
                extensions={"timeout": timeouts},
            ) as response:
                response.extensions["network_stream"].end_of_head()
                yield response

    def _check(self, url: httpx.URL) -> None:
        if url.scheme not in _DEFAULT_PORTS:
            raise UrlNotAllowed("Documents are fetched over http and https only.")
        if url.userinfo and not self._settings.credentials:
            raise UrlNotAllowed("The URL contains a user or a password. OCR_URL_CREDENTIALS can allow this.")
        if (url.port or _DEFAULT_PORTS[url.scheme]) not in self._settings.ports:
            raise UrlNotAllowed("The port of the URL is not in OCR_URL_PORTS.")


def _parsed(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
        # Decodes the name, which fails for one such as `xn--a`.
        host = parsed.host
    except (httpx.InvalidURL, ValueError):
        raise InvalidUrl("It cannot be parsed as a URL.") from None
    if not parsed.scheme or (parsed.scheme in _DEFAULT_PORTS and not host):
        raise InvalidUrl("A URL has a scheme and a host, for example https://example.com/scan.jpg.")
    return parsed


def _redirected(url: httpx.URL, location: str) -> httpx.URL:
    try:
        return _parsed(str(url.join(location)))
    except (InvalidUrl, httpx.InvalidURL, ValueError):
        raise FetchFailed("The server redirects to an invalid URL.") from None


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


async def _body(
    response: httpcore.Response, headers: httpx.Headers, max_bytes: int, small_chunks: Pace
) -> AsyncGenerator[bytes]:
    """Yield the decoded body; the limit applies to the bytes as transferred and as decoded."""
    if response.status not in _SUCCESS:
        raise FetchFailed(f"The server answered {_status(response.status)}.")
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise TooManyBytes.beyond(max_bytes)
    transferred = _limited(_paced(response.aiter_stream(), small_chunks), max_bytes)
    try:
        async for chunk in _limited(decoded(transferred, headers.get("content-encoding", "")), max_bytes):
            yield chunk
    except (httpcore.RemoteProtocolError, httpcore.NetworkError) as error:
        raise FetchFailed("The connection closed before the file was complete.") from error


async def _paced(chunks: AsyncIterable[bytes], small_chunks: Pace) -> AsyncGenerator[bytes]:
    """Yield the chunks, with pauses between groups of small ones."""
    count = size = 0
    async for chunk in chunks:
        count, size = count + 1, size + len(chunk)
        if count == _GROUP:
            if size < _GROUP * _SMALL:
                await asyncio.sleep(small_chunks.pause())
            count = size = 0
        yield chunk


async def _limited(chunks: AsyncIterable[bytes], max_bytes: int) -> AsyncGenerator[bytes]:
    """Yield the chunks; raises TooManyBytes before the chunk that exceeds the limit."""
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > max_bytes:
            raise TooManyBytes.beyond(max_bytes)
        yield chunk


def _status(number: int) -> str:
    """Return the status with its standard phrase, not with the text that the server sent."""
    try:
        return f"{number} {HTTPStatus(number).phrase}"
    except ValueError:
        return str(number)


@contextmanager
def _translated(settings: UrlSettings) -> Iterator[None]:
    """Convert network errors to FetchFailed; the messages quote nothing that the server sent."""
    try:
        yield
    except httpcore.ConnectTimeout:
        raise FetchFailed(f"The connection timed out after {settings.connect_timeout:g} s.") from None
    except httpcore.TimeoutException:
        raise FetchFailed(f"The server sent nothing for {settings.read_timeout:g} s.") from None
    except httpcore.RemoteProtocolError as error:
        raise FetchFailed("The server sent no response, or an invalid one.") from error
    except (httpcore.NetworkError, ssl.SSLError) as error:
        raise FetchFailed(f"The server cannot be reached: {_reason(error)}.") from error


def _reason(error: BaseException | None) -> str:
    """Return the cause in a few words, without addresses."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"its certificate is not valid ({error.verify_message.rstrip('.')})"
        if isinstance(error, ssl.SSLError):
            return "the TLS handshake failed"
        if isinstance(error, OSError) and error.errno:
            return os.strerror(error.errno)
        # The connection pool of httpcore drops the cause, but keeps the context.
        error = error.__cause__ or error.__context__
    return "the connection broke off"
