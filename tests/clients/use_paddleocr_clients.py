"""Reads documents with the clients of PaddleOCR's jobs API; runs in their environment.

One process for all of them, because the import of paddleocr takes ten seconds. Usage:
use_paddleocr_clients.py BASE_URL TOKEN PICTURE PDF FOLDER. Prints the answer of each client, as JSON.
"""

import asyncio
import contextlib
import io
import json
import sys
import time
from typing import Any

from haystack.utils import Secret
from haystack_integrations.components.converters.paddleocr import PaddleOCRVLDocumentConverter
from langchain_paddleocr import PaddleOCRVLLoader
from paddleocr import AsyncPaddleOCRClient, PaddleOCRAPIError, PaddleOCRClient, PaddleOCRVLOptions
from paddleocr._cli import main
from pydantic import SecretStr

base_url, token, picture, pdf, folder = sys.argv[1:]


def sync_sdk() -> dict[str, Any]:
    """Submit a part of a PDF, look at it and at its batch until the end, and save its pictures."""
    with PaddleOCRClient(token, base_url) as client:
        job = client.submit_document_parsing(file_path=pdf, page_ranges="1-2", batch_id="contracts")
        states = [client.get_status(job.job_id)]
        while states[-1].state != "done":
            time.sleep(0.1)
            states.append(client.get_status(job.job_id))
        result = client.wait_document_parsing_result(job)
        batch = client.get_batch_status("contracts")
        try:
            client.parse_document(
                file_path=pdf, options=PaddleOCRVLOptions(temperature=1.5, layout_nms=False)
            )
            refusal = ""
        except PaddleOCRAPIError as error:
            refusal = f"{type(error).__name__}: {error}"
        saved = [
            client.save_resource(address, folder, filename=f"{number}.jpg")
            for number, page in enumerate(result.pages)
            for address in [*page.markdown_images.values(), page.input_image_url]
        ]
    return {
        "texts": [page.markdown_text for page in result.pages],
        "progress": vars(states[-1].progress),
        "batch": [(each.job_id, each.state) for each in batch.jobs] == [(job.job_id, "done")],
        "engine": result.data_info["engine"]["name"],
        "refusal": refusal,
        "saved": len(saved),
    }


async def async_sdk() -> dict[str, Any]:
    """Read a picture in both forms at the same time."""
    async with AsyncPaddleOCRClient(token, base_url) as client:
        document, lines = await asyncio.gather(
            client.parse_document(file_path=picture), client.ocr(file_path=picture)
        )
    return {
        "texts": [page.markdown_text for page in document.pages],
        "lines": lines.pages[0].pruned_result["rec_texts"],
    }


def command_line() -> dict[str, Any]:
    """Run `paddleocr api` in this process."""
    given = ["--base_url", base_url, "--token", token, "--file_path", picture]
    sys.argv = ["paddleocr", "api", "--model_type", "ocr", *given]
    with contextlib.redirect_stdout(io.StringIO()) as output:
        main()
    answer: dict[str, Any] = json.loads(output.getvalue())
    return answer


def langchain() -> list[str]:
    loader = PaddleOCRVLLoader(pdf, base_url=base_url, access_token=SecretStr(token))
    return [document.page_content for document in loader.load()]


def haystack() -> list[str]:
    converter = PaddleOCRVLDocumentConverter(base_url=base_url, access_token=Secret.from_token(token))
    return [document.content or "" for document in converter.run(sources=[pdf])["documents"]]


print(
    json.dumps(
        {
            "sync_sdk": sync_sdk(),
            "async_sdk": asyncio.run(async_sdk()),
            "command_line": command_line(),
            "langchain": langchain(),
            "haystack": haystack(),
        }
    )
)
