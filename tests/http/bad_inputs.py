"""Requests that a client could send by mistake or on purpose, none of which may be answered with 500."""

import json
from collections.abc import Iterator
from itertools import product
from typing import Any

_SCHEMES = (
    "http://",
    "https://",
    "HTTP:",
    "http:/",
    "http:///",
    "s3://",
    "S3:",
    "ftp://",
    "file://",
    "://",
    "",
)
_HOSTS = (
    "xn--a", "xn--", "xn--a.example", "a.xn--0", "xn--zzzzzzzz", "ex\u2100mple", "\u2488com",
    "a..b", ".", "..", "-",
    "[::1", "[::1]x", "[fe80::1%25eth0]", "[v1.a]", "1.2.3.4.5", "0x7f.1", "%31%32", "%zz", "a b",
    "a\tb", "a\0b",
    "\ud800", "\u0301", "\u200d", "\u202e", "user@", "@", ":@", "u:p@xn--a", "a:", "a:0",
    "a:65536", "a:-1", "a:٣", "ß" * 70,
    "a" * 64 + ".b", "é" * 300, "xn--" + "a" * 60, "💣", "日本。", "#", "?", "\\", "{}", "*.a", "",
)  # fmt: skip
_PATHS = ("", "/", "/%", "/\ud800", "/[", "//", "/..", "/?#", "/\u2100", "#\udc00", "?\0")
_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 10**400, 1e308, -0.0, "", "\0", "\ud800", "💣" * 99, [], {}, [[]],
    {"": {"": []}}, ["\ud800"],
    "NaN", "1e999", "[" * 99, "{" * 99, "data:;base64,", "data:image/png;base64,====", "s3://",
    "http://xn--a/",
)  # fmt: skip
_OCR_FIELDS = (
    "file", "image_url", "url", "pages", "lang", "language", "format", "images", "cache", "store",
    "timeout",
    "layout_threshold", "layout_unclip_ratio", "layout_merge_bboxes_mode", "markdown_ignore_labels",
    "vlm_extra_args", "max_pixels", "temperature", "\ud800", "",
)  # fmt: skip
_LAYOUT_FIELDS = (
    "file", "fileType", "logId", "layoutThreshold", "layoutUnclipRatio", "layoutMergeBboxesMode",
    "markdownIgnoreLabels", "vlmExtraArgs", "outputFormats", "promptLabel", "restructurePages", "visualize",
)  # fmt: skip
_PRUNED_FIELDS = (
    "width",
    "height",
    "model_settings",
    "parsing_res_list",
    "warnings",
    "layout_det_res",
    "error",
)
_DEPTHS = (50, 63, 64, 65, 100, 250, 255, 256, 300, 500, 990, 1000, 5000, 100_000)
_BODIES = (
    b"", b"null", b"[]", b'"', b"{", b"{}}", b'{"a"', b'{"a":}', b"\xff\xfe{\0}\0",
    b"\xef\xbb\xbf{}", b"\xff", b"\0",
    b"[1,]", b"NaN", b'{"file": NaN}', b'{"a":1,"a":2}', b'"' + b"\\" * 70_000 + b'"', b"-", b"1e",
    b'{"\\ud800":1}',
    b'{"file":"' + b"\\ud800" * 12_000 + b'"}', b'{"file":"' + b"\\u12" * 20_000 + b'"}',
    b"[" * 70_000, b"]" * 9,
    b'{"image_url":"http://xn--a/"}', b"image_url=http%3A%2F%2Fxn--a%2F", b"image_url=%ED%A0%80",
    b"--a\r\n\r\n--a--",
)  # fmt: skip
_TYPES = (
    "application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a",
    "multipart/form-data",
    "text/plain", "image/png", "", "application/json; charset=utf-16", "x" * 300,
)  # fmt: skip
_JSON_PATHS = ("/ocr", "/layout-parsing", "/restructure-pages", "/liteparse/ocr")

Request = tuple[str, bytes, str]
"""A path, a body and its content type."""


def bad_requests() -> Iterator[Request]:
    """Yield about 3500 requests."""
    for address in bad_addresses():
        yield "/ocr", _json({"image_url": address}), _TYPES[0]
    for name, value in product(_OCR_FIELDS, _VALUES):
        yield "/ocr", _json({"image_url": "http://xn--a/", name: value}), _TYPES[0]
    for name, value in product(_LAYOUT_FIELDS, _VALUES):
        yield "/layout-parsing", _json({"file": "http://xn--a/", name: value}), _TYPES[0]
    for pruned in bad_pruned_results():
        yield "/restructure-pages", _json({"pages": [{"prunedResult": pruned}]}), _TYPES[0]
    for depth in _DEPTHS:
        yield from nested_requests(depth)
    yield from product(_JSON_PATHS, _BODIES, _TYPES)


def bad_addresses() -> Iterator[str]:
    """Yield addresses in which one part is wrong, or several."""
    yield from map("".join, product(_SCHEMES, _HOSTS, _PATHS[:3]))
    yield from map("".join, product(("http://127.0.0.1", "s3://bucket"), _PATHS))


def bad_pruned_results() -> Iterator[dict[str, Any]]:
    """Yield a page of which one field has a wrong value."""
    for name, value in product(_PRUNED_FIELDS, _VALUES):
        yield {"model_settings": {}, "parsing_res_list": [], name: value}
    for name, value in product(("block_label", "block_content", "block_bbox", "block_id", "image"), _VALUES):
        block = {"block_label": "text", "block_content": "a", "block_bbox": [1, 2, 3, 4], name: value}
        yield {"model_settings": {}, "parsing_res_list": [block]}


def nested_requests(depth: int) -> Iterator[Request]:
    """Yield requests of which one value is nested."""
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")):
        nested = opening * depth + b"1" + closing * depth
        pruned = b'{"model_settings":%s,"parsing_res_list":[],"other":%s}' % (nested, nested)
        yield "/restructure-pages", b'{"pages":[{"prunedResult":%s}]}' % pruned, _TYPES[0]
        yield "/restructure-pages", b'{"pages":%s}' % nested, _TYPES[0]
        yield (
            "/layout-parsing",
            b'{"file":"YQ==","other":%s,"layoutThreshold":%s}' % (nested, nested),
            _TYPES[0],
        )
        yield "/ocr", b'{"file":"YQ==","lang":%s}' % nested, _TYPES[0]
        yield "/ocr?vlm_extra_args=%5B%5B" + "%5B" * min(depth, 5000), b"%PDF-", ""


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
