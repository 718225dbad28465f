"""Actions on the page as a person does them, and a guard against scripts and foreign addresses."""

import shutil
from base64 import b64encode
from dataclasses import dataclass

import httpx
from playwright.async_api import ConsoleMessage, Page, Request

from tests.fakes.written_engine import WrittenEngine
from tests.samples import pdf_of_text

PROGRAMS = ("chromium-headless-shell", "chromium")
THREE_PAGES = pdf_of_text(["one", "two", "three"])

# As a browser does it when a person drops a file.
_DROP = """([name, type, data]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const files = new DataTransfer();
  files.items.add(new File([bytes], name, { type }));
  const init = { bubbles: true, cancelable: true };
  const event = EVENT;
  document.getElementById("drop").dispatchEvent(event);
}"""
_DROPPED = "new DragEvent('drop', { ...init, dataTransfer: files })"
_PASTED = "new ClipboardEvent('paste', { ...init, clipboardData: files })"


def chromium() -> str:
    """Return the path of Debian's Chromium."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    assert program, "Chromium is missing: scripts/setup.sh test"
    return program


@dataclass
class Site:
    """A service with the page."""

    engine: WrittenEngine
    url: str
    client: httpx.AsyncClient


async def drop(page: Page, name: str, document: bytes, kind: str = "application/pdf") -> None:
    """Drop a file on the page."""
    await page.evaluate(_DROP.replace("EVENT", _DROPPED), [name, kind, b64encode(document).decode()])


async def paste(page: Page, name: str, document: bytes, kind: str) -> None:
    """Paste a picture."""
    await page.evaluate(_DROP.replace("EVENT", _PASTED), [name, kind, b64encode(document).decode()])


class Guard:
    """Watches a page: no script of a document runs, the policy is kept, and nothing comes from elsewhere."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self._origin = url.split("/")[2]
        self._faults: list[str] = []
        page.on("pageerror", lambda error: self._faults.append(f"error: {error}"))
        page.on("dialog", lambda dialog: self._faults.append(f"dialog: {dialog.message}"))
        page.on("console", self._said)
        page.on("request", self._asked)

    def check(self) -> None:
        assert not self._faults

    def _said(self, message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            self._faults.append(message.text)

    def _asked(self, request: Request) -> None:
        kind, _, rest = request.url.partition(":")
        if kind not in ("blob", "data") and rest.split("/")[2] != self._origin:
            self._faults.append(f"request: {request.url}")
