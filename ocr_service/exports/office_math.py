"""MathML → Office Math Markup (ECMA-376, part 1, 22.1), for formulas in Word files."""

from typing import Any

import mathml2omml
from docx.oxml.ns import nsdecls
from docx.oxml.parser import parse_xml
from lxml import etree


def office_math(element: Any) -> Any | None:
    """Return the formula as an element of a Word file; None if it cannot be converted."""
    tail, element.tail = element.tail, None
    try:
        converted = mathml2omml.convert(etree.tostring(element, encoding="unicode"))
        return parse_xml(converted.replace("<m:oMath>", f"<m:oMath {nsdecls('m')}>", 1))
    except Exception:
        # The converter raises errors of many kinds, and writes XML that is not well-formed for some accents.
        return None
    finally:
        element.tail = tail
