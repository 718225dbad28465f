"""A page result of the official pipeline → a Word document, written by the pipeline itself."""

import io
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image


def word_document(result: Any) -> bytes:
    """Return a `PaddleOCRVLResult` as a Word document; the pipeline can only write into a folder."""
    with tempfile.TemporaryDirectory() as folder:
        result.save_to_word(folder)
        [document] = Path(folder).glob("*.docx")
        return document.read_bytes()


def with_images(result: Any, files: Mapping[str, bytes]) -> Any:
    """Put images back into a result that was rebuilt from JSON, by their path in the Markdown."""
    images = {path: Image.open(io.BytesIO(file)) for path, file in files.items()}
    for block in result["parsing_res_list"]:
        if isinstance(block.image, dict) and block.image["path"] in images:
            block.image["img"] = images[block.image["path"]]
    result["imgs_in_doc"] = [{"path": path, "img": image} for path, image in images.items()]
    return result
