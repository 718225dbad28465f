"""A page result of the official pipeline → a Word document, written by the pipeline itself."""

import io
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from ocr_service.core.xml_text import NOT_IN_XML, xml_text

_REFERENCE = re.compile(r"&#(?:[xX]0*([0-9a-fA-F]+)|0*([0-9]+));?")
# Digits of the highest character, U+10FFFF. Python refuses to read numbers of thousands of digits.
_MOST_DIGITS = len(str(0x10FFFF))


def word_document(result: Any) -> bytes:
    """Return a `PaddleOCRVLResult` as a Word document; the pipeline can only write into a folder.

    Control characters are removed from the blocks of the result.
    """
    for block in result["parsing_res_list"]:
        block.content = _for_xml(block.content, is_html=block.label == "table")
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


def _for_xml(content: str, is_html: bool) -> str:
    """Remove the characters that XML cannot hold; in HTML, they can also be character references."""
    content = xml_text(content)
    return _REFERENCE.sub(_valid_reference, content) if is_html else content


def _valid_reference(reference: re.Match[str]) -> str:
    # The blank keeps the characters around a removed reference from becoming a new one.
    hexadecimal, decimal = reference.groups()
    digits, base = (hexadecimal, 16) if hexadecimal else (decimal, 10)
    number = int(digits, base) if len(digits) <= _MOST_DIGITS else sys.maxunicode + 1
    is_valid = number <= sys.maxunicode and not NOT_IN_XML.match(chr(number))
    return reference[0] if is_valid else " "
