"""Loads a document with langchain-paddleocr; runs in its own environment.

Usage: load_with_langchain.py API_URL FILE TOKEN. Prints the texts of the documents as JSON.
"""

import json
import sys

from langchain_paddleocr import PaddleOCRVLLoader
from pydantic import SecretStr

api_url, file, token = sys.argv[1:]
loader = PaddleOCRVLLoader(file, api_url=api_url, access_token=SecretStr(token))
print(json.dumps([document.page_content for document in loader.load()]))
