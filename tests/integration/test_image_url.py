"""The service as a process: a document read by its URL, and the log of the request."""

import asyncio

import pytest

from tests.http.peers import answer, by_path, peer
from tests.running import ROOT, RunningService

pytestmark = pytest.mark.anyio


async def test_url_is_read_and_its_secrets_are_not_logged() -> None:
    paths = {
        "/scan.jpg?sign=SECRET1": answer((ROOT / "examples/scan.jpg").read_bytes()),
        "/moved?sign=SECRET1": answer(b"", "Location: /gone?sign=SECRET3", status="302 Found"),
        "/gone?sign=SECRET3": answer(b"SECRET4", "X: SECRET4", status="404 SECRET4"),
    }
    async with peer(by_path(paths)) as origin:
        service = RunningService(
            OCR_LOG_LEVEL="debug",
            OCR_URL_ALLOWLIST="127.0.0.1",
            OCR_URL_PORTS=str(origin.port),
            OCR_URL_CREDENTIALS="true",
        )

        def ask() -> list[str]:
            with service:
                return [
                    service.client.post("/ocr", params={"format": "text"}, data={"image_url": url}).text
                    for url in (
                        f"http://me:SECRET2@127.0.0.1:{origin.port}/scan.jpg?sign=SECRET1",
                        f"http://me:SECRET2@127.0.0.1:{origin.port}/moved?sign=SECRET1",
                        f"http://me:SECRET2@10.0.0.1:{origin.port}/?sign=SECRET1",
                        "SECRET1",
                    )
                ]

        answers = await asyncio.to_thread(ask)
    assert answers[0].startswith("Договор поставки № 17")
    for code, text in zip(("fetch_failed", "url_not_allowed", "invalid_url"), answers[1:], strict=True):
        assert f'"code":"{code}"' in text
    assert "SECRET" not in "".join(answers) + "".join(service.log)
    assert "POST /ocr 424" in "".join(service.log)
