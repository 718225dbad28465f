"""A document as one HTML file that loads nothing and runs nothing."""

from base64 import b64encode
from collections.abc import Mapping
from functools import partial
from html import escape

from ocr_service.core.documents import DocumentResult, PageResult
from ocr_service.exports.notes import notes_of
from ocr_service.exports.safe_html import safe_html

# The policy holds also where the file is opened from a disk, without the headers of the service.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }
section + section { border-top: 1px solid #999; margin-top: 2rem; padding-top: 1rem; }
table { border-collapse: collapse; }
td, th { border: 1px solid #999; padding: 0.2rem 0.5rem; text-align: left; vertical-align: top; }
img { max-width: 100%; height: auto; }
pre { white-space: pre-wrap; }
.error { border-left: 0.3rem solid #b00; padding-left: 0.7rem; }
.warning { border-left: 0.3rem solid #c80; padding-left: 0.7rem; }
"""


def to_html(result: DocumentResult, title: str, formulas: bool) -> str:
    """Return the document as HTML; a section for each page, also for a page that failed.

    title: of the file, as plain text. formulas: whether `$…$` in the Markdown is LaTeX.
    """
    pages = "\n".join(_section(page, formulas) for page in result.pages)
    return f"""<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
{pages}
</main>
</body>
</html>
"""


def _section(page: PageResult, formulas: bool) -> str:
    notes = "\n".join(f'<p class="{note.kind}">{escape(note.text)}</p>' for note in notes_of(page))
    body = safe_html(page.markdown, partial(_inlined, page.images), formulas)
    return f'<section id="page-{page.index}" aria-label="Page {page.index}">\n{notes}\n{body}</section>'


def _inlined(images: Mapping[str, bytes], path: str) -> str | None:
    image = images.get(path)
    return None if image is None else f"data:image/jpeg;base64,{b64encode(image).decode('ascii')}"
