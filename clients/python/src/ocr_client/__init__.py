"""Client of the OCR service."""

from ocr_client.client import AsyncClient, Client
from ocr_client.errors import OcrError, ServiceUnreachable
from ocr_client.results import Block, Document, Job, Page, PageWarning, Problem, Word

__all__ = [
    "AsyncClient",
    "Block",
    "Client",
    "Document",
    "Job",
    "OcrError",
    "Page",
    "PageWarning",
    "Problem",
    "ServiceUnreachable",
    "Word",
]
