"""How log lines look: one form for the service's own and for uvicorn's, each with its request's id."""

import logging
import sys

from ocr_service.request_context import request_id

_TALKATIVE = ("PIL", "python_multipart", "httpx", "httpcore", "httpx2", "httpcore2", "openai")
_INDISCREET = ("boto3", "botocore", "s3transfer", "urllib3")

_FORM = "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"


def configure_logging(level: str) -> None:
    """Write every logger's lines at `level` or above to standard error, in one form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(_FORM))
    handler.addFilter(_add_request_id)
    # Pillow warns of oddities in files; such lines belong to the request that sent the file.
    logging.captureWarnings(True)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
        logging.getLogger(name).setLevel(level.upper())
    # The service writes its own line for every request, with the time it took.
    logging.getLogger("uvicorn.access").disabled = True
    # These write a line for every chunk of a file or call of a model; those of S3 also keys and signatures.
    for name in (*_TALKATIVE, *_INDISCREET):
        logging.getLogger(name).setLevel("WARNING")


def _add_request_id(record: logging.LogRecord) -> bool:
    record.request_id = request_id.get()
    return True
