"""`python -m ocr_service.bulk`."""

import sys

from ocr_service.bulk.cli import main

if __name__ == "__main__":
    sys.exit(main())
