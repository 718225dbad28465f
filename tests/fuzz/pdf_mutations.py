"""Mutations of the objects and content of a PDF: its numbers, names, references and operators are text."""

import re

from hypothesis import strategies as st

from tests.fuzz.anatomy import TELLING_NUMBERS


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_NUMBER = re.compile(rb"(?<![\w.])-?\d+(\.\d+)?(?![\w.])")
_NAME = re.compile(rb"/[A-Za-z0-9]+")
_REFERENCE = re.compile(rb"\d+ 0 R")
_CONTENT = re.compile(rb"(?<=stream\n)(?=[ -~\s]{2})")
_WORD = re.compile(rb"\b[a-zA-Z*']{1,3}\b(?=\s)")

_NUMBERS = (
    *map(str, TELLING_NUMBERS),
    *("-1", "-2147483648", "0.00001", "-1e5", "1.5", "99999999999999999999", "1" * 400),
)
_NAMES = _words("""
    FlateDecode LZWDecode DCTDecode JPXDecode JBIG2Decode CCITTFaxDecode RunLengthDecode ASCII85Decode
    ASCIIHexDecode Crypt ICCBased Indexed Separation DeviceN Pattern Lab CalRGB DeviceGray DeviceRGB
    DeviceCMYK Shading ShadingType PatternType FunctionType Form Image Kids Parent Pages Page Contents
    Resources XObject SMask Mask Group Annots AP N Type0 Type3 Prev XRefStm ObjStm Encrypt Length Width Height
    BitsPerComponent Predictor Columns Colors First Extends Index W Root Size Count MediaBox UserUnit Rotate
""")
_OPERATORS = _words("""
    q Q cm Do f f* B b* S s W W* n h re m l c v y gs sh BI ID EI BT ET Tf Tj TJ Td Tr Tz Tw cs CS sc scn SCN
    g G rg RG k K d0 d1 i j J M d w ri MP DP BMC BDC EMC BX EX ' Ts TL Tm
""")
_OPERANDS = (*_NUMBERS, *_words("/Im0 /F1 /Pattern [ ] << >> (a)"))


def _replace(draw: st.DrawFn, data: bytes, found: re.Pattern[bytes], replacement: bytes) -> bytes | None:
    spans = [match.span() for match in found.finditer(data)]
    if not spans:
        return None
    start, end = draw(st.sampled_from(spans))
    return data[:start] + replacement + data[end:]


def _change_number(draw: st.DrawFn, data: bytes) -> bytes | None:
    return _replace(draw, data, _NUMBER, draw(st.sampled_from(_NUMBERS)).encode())


def _change_name(draw: st.DrawFn, data: bytes) -> bytes | None:
    return _replace(draw, data, _NAME, b"/" + draw(st.sampled_from(_NAMES)).encode())


def _change_reference(draw: st.DrawFn, data: bytes) -> bytes | None:
    """Replace the target of a reference, possibly with the object itself or the page tree's root."""
    return _replace(draw, data, _REFERENCE, b"%d 0 R" % draw(st.integers(0, 16)))


def _make_reference(draw: st.DrawFn, data: bytes) -> bytes | None:
    return _replace(draw, data, _NUMBER, b"%d 0 R" % draw(st.integers(1, 16)))


def _change_operator(draw: st.DrawFn, data: bytes) -> bytes | None:
    return _replace(draw, data, _WORD, draw(st.sampled_from(_OPERATORS)).encode())


def _add_operators(draw: st.DrawFn, data: bytes) -> bytes | None:
    word = st.sampled_from((*_OPERATORS, *_OPERANDS))
    words = " ".join(draw(st.lists(word, min_size=1, max_size=12))).encode() + b" "
    return _replace(draw, data, _CONTENT, words * draw(st.sampled_from((1, 1, 2, 50, 5000))))


_CHANGES = (
    _change_number,
    _change_number,
    _change_name,
    _change_reference,
    _make_reference,
    _change_operator,
    _add_operators,
)


def change_pdf(draw: st.DrawFn, data: bytes) -> bytes | None:
    """Change one token; None if there is no token of its kind."""
    return draw(st.sampled_from(_CHANGES))(draw, data)
