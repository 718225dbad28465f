"""The official pipeline's result of a page → a Word document, by its own means."""

import io
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image


def word_document(result: Any) -> bytes:
    """Write a `PaddleOCRVLResult` as it can: into a folder."""
    with tempfile.TemporaryDirectory() as folder:
        result.save_to_word(folder)
        [document] = Path(folder).glob("*.docx")
        return document.read_bytes()


def illustrated(result: Any, pictures: Mapping[str, bytes]) -> Any:
    """Give a result that was made of JSON its pictures back, by their path in the Markdown."""
    images = {path: Image.open(io.BytesIO(picture)) for path, picture in pictures.items()}
    for block in result["parsing_res_list"]:
        if isinstance(block.image, dict) and block.image["path"] in images:
            block.image["img"] = images[block.image["path"]]
    result["imgs_in_doc"] = [{"path": path, "img": image} for path, image in images.items()]
    return result
