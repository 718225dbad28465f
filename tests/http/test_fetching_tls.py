"""HTTPS: the client connects to the checked address and verifies the certificate against the host name."""

import asyncio
from pathlib import Path

import pytest

from ocr_service.core.errors import FetchFailed
from tests.certificates import server_tls
from tests.http.peers import FILE, Resolver, answer, download, fetcher, peer, reply_with

pytestmark = pytest.mark.anyio


async def test_certificate_is_verified_against_the_host_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls, trusted = server_tls("scans.test", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    asked_for: list[str | None] = []
    tls.sni_callback = lambda _, name, __: asked_for.append(name)
    async with peer(reply_with(answer(FILE)), tls=tls) as other:
        subject = fetcher(other.port, resolver=Resolver(["127.0.0.1"]))
        assert await download(subject, f"https://scans.test:{other.port}/") == FILE
        with pytest.raises(FetchFailed, match=r"certificate is not valid \(Hostname mismatch"):
            await download(subject, f"https://other.test:{other.port}/")
    assert asked_for == ["scans.test", "other.test"]
    assert len(other.requests) == 1


async def test_self_signed_certificate_is_refused(tmp_path: Path) -> None:
    tls, _ = server_tls("scans.test", tmp_path)
    async with peer(reply_with(answer(FILE)), tls=tls) as other:
        subject = fetcher(other.port, resolver=Resolver(["127.0.0.1"]))
        with pytest.raises(FetchFailed, match=r"certificate is not valid \(self-signed certificate\)"):
            await download(subject, f"https://scans.test:{other.port}/")
    assert not other.requests


async def test_server_without_tls_is_reported() -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(FetchFailed, match="TLS handshake failed"):
            await download(fetcher(port), f"https://127.0.0.1:{port}/")
