"""The text of HTML, such as that of a table."""

from html.parser import HTMLParser


def plain_text(content: str) -> str:
    """Return the content of a block without HTML: table cells end with tabs, rows with line breaks."""
    if "<" not in content:
        return content
    parser = _PlainText()
    parser.feed(content)
    parser.close()
    return parser.text()


class _PlainText(HTMLParser):
    """Collects the text between tags."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "br":
            self._parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._parts.append("\t")
        elif tag in ("tr", "p", "div"):
            self._parts.append("\n")

    def handle_data(self, data: str) -> None:
        self._parts.append(data)

    def text(self) -> str:
        lines = "".join(self._parts).split("\n")
        return "\n".join(line.rstrip() for line in lines).strip()
