"""Markdown of a page → HTML that cannot run anything in a browser.

The text of a page is whatever somebody printed on it, so the HTML is sanitised as a whole, formulas included.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from html import escape
from typing import Any

import latex2mathml.converter
import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin

from ocr_service.core.xml_text import xml_text

_TEXT_TAGS = frozenset(
    ("a", "b", "blockquote", "br", "code", "del", "div", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i")
) | {"img", "li", "ol", "p", "pre", "s", "strong", "sub", "sup", "u", "ul"}
_TABLE_TAGS = frozenset(("caption", "col", "colgroup", "table", "tbody", "td", "tfoot", "th", "thead", "tr"))
# https://www.w3.org/TR/mathml-core/
_MATH_TAGS = {
    "math",
    "merror",
    "mfrac",
    "mi",
    "mmultiscripts",
    "mn",
    "mo",
    "mover",
    "mpadded",
    "mphantom",
} | {
    *("mprescripts", "mroot", "mrow", "ms", "mspace", "msqrt", "mstyle", "msub", "msubsup", "msup", "mtable"),
    *("mtd", "mtext", "mtr", "munder", "munderover"),
}
_SPANS = {"colspan", "rowspan"}
_ATTRIBUTES: Mapping[str, set[str]] = {
    "a": {"href"},
    "img": {"src", "alt"},
    "ol": {"start"},
    "li": {"value"},
    "td": _SPANS,
    "th": _SPANS,
    "math": {"display", "alttext"},
    "mi": {"mathvariant"},
    "mo": {"stretchy", "fence", "separator", "lspace", "rspace", "minsize", "maxsize"},
    "mspace": {"width"},
    "mtd": {"columnspan", "rowspan"},
}
_SCHEMES = {"http", "https", "mailto"}
_TAG = re.compile(r"<(?=/?([A-Za-z][^\s/>]*)|[!?])")


def safe_html(markdown: str, picture: Callable[[str], str | None], formulas: bool) -> str:
    """Return the HTML of a page.

    picture: returns the address of a picture by its path in the Markdown, or None if there is none: no other
    picture is loaded.
    formulas: whether `$…$` and `$$…$$` are LaTeX.
    """

    def checked(tag: str, attribute: str, value: str) -> str | None:
        return picture(value) if (tag, attribute) == ("img", "src") else value

    return nh3.clean(
        _parser(formulas).render(_with_text_that_looks_like_tags(xml_text(markdown))),
        tags={*_TEXT_TAGS, *_TABLE_TAGS, *_MATH_TAGS},
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        attribute_filter=checked,
        url_schemes=_SCHEMES,
        link_rel="noopener noreferrer nofollow",
    )


def _with_text_that_looks_like_tags(markdown: str) -> str:
    """Escape `<` where no known tag begins: a page may say `<b1>` or `<script>`, which is text."""
    known = _TEXT_TAGS | _TABLE_TAGS
    return _TAG.sub(lambda match: "<" if (match[1] or "").lower() in known else "&lt;", markdown)


@cache
def _parser(formulas: bool) -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    parser.add_render_rule("list_item_open", _numbered)
    if formulas:
        parser.use(
            dollarmath_plugin, allow_digits=False, allow_labels=False, double_inline=True, renderer=_mathml
        )
    return parser


def _numbered(renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """Return the tag of a list item with its number: CommonMark counts on from the first one of the list."""
    item = tokens[index]
    if item.info:
        item.attrSet("value", item.info)
    return str(renderer.renderToken(tokens, index, options, env))


def _mathml(latex: str, options: Mapping[str, Any]) -> str:
    """Return a formula as MathML, or its source if it is not LaTeX that the converter knows."""
    display = "block" if options["display_mode"] else "inline"
    try:
        formula = str(latex2mathml.converter.convert(latex, display=display))
    except Exception:
        # The converter raises errors of many kinds; a model writes LaTeX of every kind.
        return f"<code>{escape(latex)}</code>"
    return formula.replace("<math ", f'<math alttext="{escape(latex)}" ', 1)
