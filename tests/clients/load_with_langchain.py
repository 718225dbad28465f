"""Loads documents with langchain-paddleocr; runs in its own environment.

Usage: load_with_langchain.py TOKEN, with a list of [API_URL, FILE] as JSON on standard input. Prints the
texts of the documents that each of them gives, as JSON.
"""

import json
import sys

from langchain_paddleocr import PaddleOCRVLLoader
from pydantic import SecretStr

token = SecretStr(sys.argv[1])
loaders = [PaddleOCRVLLoader(file, api_url=url, access_token=token) for url, file in json.load(sys.stdin)]
print(json.dumps([[document.page_content for document in loader.load()] for loader in loaders]))
