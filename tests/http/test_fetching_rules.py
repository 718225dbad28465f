"""Rules of fetching: an address that is not allowed is refused before a connection is made."""

import asyncio
from base64 import b64encode

import pytest

from ocr_service.core.errors import FetchFailed, InvalidUrl, UrlNotAllowed
from tests.http.peers import (
    FILE,
    Resolver,
    answer,
    by_path,
    download,
    fetched,
    fetcher,
    peer,
    redirects,
    reply_with,
)
from tests.running import free_port

pytestmark = pytest.mark.anyio


REFUSED = [
    "http://127.0.0.1:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.1:{port}/",
    "http://017700000001:{port}/",
    "http://127.1:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://localhost:{port}/",
    "http://LOCALHOST:{port}/",
    "http://[::1]:{port}/",
    "http://[::]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[64:ff9b::127.0.0.1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://169.254.169.254:{port}/latest/meta-data/",
    "http://[fd00:ec2::254]:{port}/latest/meta-data/",
    "http://100.100.100.200:{port}/",
    "http://10.0.0.1:{port}/",
    "http://224.0.0.1:{port}/",
    "http://[fe80::1]:{port}/",
    "https://127.0.0.1:{port}/",
    "http://example.com@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\@example.com:{port}/",
    "file:///etc/passwd",
    "ftp://127.0.0.1:{port}/",
    "s3://bucket/key",
    "gopher://127.0.0.1:{port}/_x",
]


@pytest.mark.parametrize("url", REFUSED)
async def test_non_public_address_is_refused_without_a_connection(url: str) -> None:
    async with peer(reply_with(answer(FILE))) as other:
        with pytest.raises(UrlNotAllowed) as caught:
            await download(fetcher(other.port, opened=""), url.format(port=other.port))
    assert other.connections == 0
    assert "127.0.0.1" not in caught.value.detail and "::" not in caught.value.detail


@pytest.mark.parametrize(
    "url",
    ["scan.pdf", "", "//127.0.0.1/a", "http://", "http:///a", "http://[::1", "http://127.0.0.1:port/",
     "http://a\nb/", "http://0177.0.0.1/", "http://\ud800/", "http://127.0.0.1/\ud800",
     "http://" + "a" * 99_999],
)  # fmt: skip
async def test_invalid_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidUrl):
        await download(fetcher(80), url)


async def test_port_that_is_not_allowed_is_refused() -> None:
    async with peer(reply_with(answer(FILE))) as other:
        with pytest.raises(UrlNotAllowed, match="port"):
            await download(fetcher(443), f"{other.url}/")
        with pytest.raises(UrlNotAllowed, match="port"):
            await download(fetcher(other.port), "https://127.0.0.1/")
        with pytest.raises(UrlNotAllowed, match="port"):
            await download(fetcher(other.port), "http://127.0.0.1:0/")
    assert other.connections == 0


async def test_credentials_are_refused_unless_allowed() -> None:
    async with peer(reply_with(answer(FILE))) as other:
        url = other.url.replace("http://", "http://me%40home:SECRET@") + "/"
        with pytest.raises(UrlNotAllowed) as caught:
            await download(fetcher(other.port), url)
        assert "SECRET" not in caught.value.detail and other.connections == 0
        assert await download(fetcher(other.port, credentials=True), url) == FILE
    assert b"Authorization: Basic " + b64encode(b"me@home:SECRET") + b"\r\n" in other.requests[0]


async def test_allowlisted_name_may_resolve_to_any_address() -> None:
    async with peer(reply_with(answer(FILE))) as other:
        url = f"http://localhost:{other.port}/"
        assert await download(fetcher(other.port, opened="LOCALHOST"), url) == FILE
        with pytest.raises(UrlNotAllowed):
            await download(fetcher(other.port, opened="*.localhost"), url)


async def test_proxy_variables_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    async with peer(reply_with(answer(b"the proxy's"))) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert await fetched(reply_with(answer(FILE))) == FILE
    assert proxy.connections == 0


# Names


async def test_dns_rebinding_is_prevented_by_a_single_lookup() -> None:
    """The first look-up gives an allowed address, the second a forbidden address with a running server."""
    resolver = Resolver(["127.0.0.1"], ["127.0.0.2"])
    async with (
        peer(reply_with(answer(FILE))) as good,
        peer(reply_with(answer(b"inside")), "127.0.0.2", good.port) as inside,
    ):
        url = f"http://rebinding.test:{good.port}/"
        assert await download(fetcher(good.port, resolver=resolver), url) == FILE
        assert resolver.hosts == ["rebinding.test"]
        # A new request looks the name up again, and is refused.
        with pytest.raises(UrlNotAllowed):
            await download(fetcher(good.port, resolver=resolver), url)
    assert (good.connections, inside.connections) == (1, 0)
    assert b"Host: rebinding.test:%d\r\n" % good.port in good.requests[0]


async def test_each_redirect_is_resolved_and_checked() -> None:
    resolver = Resolver(["127.0.0.1"], ["127.0.0.2"])
    async with (
        peer(redirects("/again")) as good,
        peer(reply_with(answer(b"inside")), "127.0.0.2", good.port) as inside,
    ):
        with pytest.raises(UrlNotAllowed):
            await download(fetcher(good.port, resolver=resolver), f"http://rebinding.test:{good.port}/")
    assert len(resolver.hosts) == 2
    assert (good.connections, inside.connections) == (1, 0)


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "127.0.0.1"], ["127.0.0.1", "::1"]]
)
async def test_name_with_a_forbidden_address_is_refused(addresses: list[str]) -> None:
    async with peer(reply_with(answer(FILE))) as other:
        with pytest.raises(UrlNotAllowed):
            await download(
                fetcher(other.port, resolver=Resolver(addresses)), f"http://two.test:{other.port}/"
            )
    assert other.connections == 0


async def test_next_address_is_tried_if_one_refuses_the_connection() -> None:
    async with peer(reply_with(answer(FILE))) as other:
        resolver = Resolver(["127.0.0.9", "127.0.0.1", "127.0.0.8"])
        subject = fetcher(other.port, "127.0.0.0/8", resolver)
        assert await download(subject, f"http://two.test:{other.port}/") == FILE


async def test_cyrillic_name_is_encoded_as_punycode() -> None:
    resolver = Resolver(["127.0.0.1"])
    async with peer(reply_with(answer(FILE))) as other:
        subject = fetcher(other.port, "*.Пример.рф", resolver)
        assert await download(subject, f"http://сканы.ПРИМЕР.рф:{other.port}/") == FILE
    assert resolver.hosts == ["xn--80atkn7c.xn--e1afmkfd.xn--p1ai"]
    assert b"Host: xn--80atkn7c.xn--e1afmkfd.xn--p1ai" in other.requests[0]


@pytest.mark.parametrize("name", ["no-such-host.invalid", "a..b", "a" * 70 + ".com", "a%20b", "a%00b"])
async def test_unknown_name_is_reported(name: str) -> None:
    with pytest.raises(FetchFailed, match="name"):
        await download(fetcher(80), f"http://{name}/")


async def test_silent_resolver_times_out() -> None:
    released = asyncio.Event()
    loop = asyncio.get_running_loop()

    def resolver(host: str, port: int) -> list[str]:
        asyncio.run_coroutine_threadsafe(released.wait(), loop).result()
        return []

    with pytest.raises(FetchFailed, match=r"not resolved within 0\.1 s"):
        await download(fetcher(80, resolver=resolver, connect_timeout=0.1), "http://slow.test/")
    released.set()


# Redirects


async def test_redirects_are_followed_and_may_be_relative() -> None:
    paths = {
        "/a/1": answer(b"", "Location: ../b/2?x=1", status="301 Moved Permanently"),
        "/b/2?x=1": answer(b"never read", "Location: 3", status="303 See Other"),
        "/b/3": answer(b"", "Location: //127.0.0.1:{port}/4", status="308 Permanent Redirect"),
        "/4": answer(FILE),
    }

    async def by_port(head: bytes, writer: asyncio.StreamWriter) -> None:
        port = writer.get_extra_info("sockname")[1]
        await by_path({p: a.replace(b"{port}", b"%d" % port) for p, a in paths.items()})(head, writer)

    assert await fetched(by_port, "/a/1") == FILE


async def test_fourth_redirect_is_refused() -> None:
    async with peer(redirects("/round")) as other:
        with pytest.raises(FetchFailed, match="more than 3 times"):
            await download(fetcher(other.port), f"{other.url}/round")
    assert other.connections == 4


@pytest.mark.parametrize(
    "location",
    ["http://127.0.0.2:{port}/", "http://[::1]:{port}/", "//0x7f.2:{port}/", "http://127.0.0.1:1/",
     "http://me:SECRET@127.0.0.1:{port}/", "file:///etc/passwd", "ftp://127.0.0.1/a", "s3://bucket/key"],
)  # fmt: skip
async def test_redirect_to_a_forbidden_address_is_refused(location: str) -> None:
    port = free_port()
    bait = reply_with(answer(b"inside"))
    async with (
        peer(redirects(location.format(port=port)), port=port) as other,
        peer(bait, "127.0.0.2", port) as inside,
    ):
        with pytest.raises(UrlNotAllowed):
            await download(fetcher(port), f"{other.url}/")
    assert (other.connections, inside.connections) == (1, 0)


@pytest.mark.parametrize("location", ["http://[::1", "https:", "http://a:b/"])
async def test_redirect_to_an_invalid_url_is_reported(location: str) -> None:
    with pytest.raises(FetchFailed, match="redirects to an invalid URL"):
        await fetched(redirects(location))
