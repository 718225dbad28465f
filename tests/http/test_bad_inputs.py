"""No bad input is answered with 500."""

import pytest

from ocr_service.core.errors import InvalidUrl, OcrError
from ocr_service.sources.source import file_name
from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.bad_inputs import bad_addresses, bad_requests
from tests.http.peers import download, fetcher
from tests.http.serving import serving

pytestmark = pytest.mark.anyio


async def test_bad_addresses_are_errors_of_the_client() -> None:
    subject = fetcher(1, opened="", resolver=lambda host, port: ["192.0.2.1"])
    for address in bad_addresses():
        with pytest.raises(OcrError) as caught:
            await download(subject, address)
        assert caught.value.status < 500, address
        if not isinstance(caught.value, InvalidUrl):
            file_name(address)


async def test_no_bad_request_is_answered_with_500() -> None:
    """Every ninth of them; `make attack` sends all."""
    async with serving(ScriptedEngine()) as client:
        for path, body, media_type in list(bad_requests())[::9]:
            response = await client.post(path, content=body, headers={"Content-Type": media_type})
            assert response.status_code < 500, (path, body[:200], media_type, response.text)
