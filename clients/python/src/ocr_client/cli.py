"""The command `ocr`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from ocr_client.client import Client
from ocr_client.errors import OcrError, ServiceUnreachable
from ocr_client.results import Document, Job

ALL_READ, NOT_ALL_READ, INTERRUPTED = 0, 1, 130
NO_SERVICE = WRONG_USAGE = 2
# Suffix of a file → format of the service.
FORMATS = {"md": "markdown", "txt": "text", "json": "json", "html": "html", "docx": "docx", "pdf": "pdf"}
_BINARY = frozenset(("docx", "pdf"))
# They are made of the JSON answer.
_OF_DOCUMENT = frozenset(("md", "txt", "json"))
_BAR_WIDTH = 30


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the documents; return the exit code."""
    options = _options(arguments)
    try:
        client = Client(options.url, options.key, options.patience, _waiting())
    except ValueError as error:
        print(f"ocr: {error}", file=sys.stderr)
        return WRONG_USAGE
    try:
        with client:
            return _read_all(client, options)
    except ServiceUnreachable as error:
        print(f"ocr: {error}", file=sys.stderr)
        return NO_SERVICE
    except KeyboardInterrupt:
        return INTERRUPTED


def _read_all(client: Client, options: argparse.Namespace) -> int:
    outcome = ALL_READ
    for source, name in zip(options.sources, options.names, strict=True):
        try:
            is_complete = _read(client, source, name, options)
        except ServiceUnreachable:
            raise
        except (OcrError, OSError) as error:
            print(f"ocr: {source}: {error}", file=sys.stderr)
            is_complete = False
        outcome = outcome if is_complete else NOT_ALL_READ
    return outcome


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="ocr",
        description="Read documents with the OCR service.",
        epilog="Exit codes: 0, all documents are read; 1, a document or a part of it is not; 2, wrong usage, "
        "or no service.",
    )
    add = parser.add_argument
    add("sources", nargs="+", metavar="FILE", help="a file, an address, or - for the standard input")
    add("-o", "--output", type=Path, metavar="DIR", help="folder for the results; default: standard output")
    add("-f", "--format", default="md", help=f"some of {', '.join(FORMATS)}, joined by commas; default: md")
    add("--pages", help='such as "1-3,7"')
    add("--lang", help='such as "rus+eng"')
    add("--url", default=os.environ.get("OCR_URL", "http://localhost:8081"), help="default: OCR_URL")
    add("--key", default=os.environ.get("OCR_API_KEY"), help="default: OCR_API_KEY, hidden from other users")
    add("--patience", type=float, default=120.0, help="seconds to wait for a service that is away")
    options = parser.parse_args(arguments)
    options.formats = [part.strip() for part in options.format.split(",")]
    if unknown := [each for each in options.formats if each not in FORMATS]:
        parser.error(f"unknown format: {', '.join(unknown)}")
    if options.output is None and (len(options.sources) > 1 or len(options.formats) > 1):
        parser.error("several files or formats need -o DIR")
    if options.output is None and _BINARY.intersection(options.formats) and sys.stdout.isatty():
        parser.error("this format is not for a terminal; use -o DIR")
    options.names = _names(options.sources)
    if len(set(options.names)) < len(options.names):
        parser.error("two of the files have the same name, so their results would too; read them apart")
    return options


def _read(client: Client, source: str, name: str, options: argparse.Namespace) -> bool:
    """Read one document and write its results; return whether no text is missing. name: of the results."""
    fields = {name: value for name in ("pages", "lang") if (value := getattr(options, name))}
    forms = ["json", *(FORMATS[suffix] for suffix in options.formats if suffix not in _OF_DOCUMENT)]
    files = client.exports(_source(source), forms, _progress(source), **fields)
    document = Document.of(files["json"])
    for suffix in options.formats:
        content = _content(document, suffix) if suffix in _OF_DOCUMENT else files[FORMATS[suffix]]
        if options.output is None:
            _print(content)
        else:
            options.output.mkdir(parents=True, exist_ok=True)
            (options.output / f"{name}.{suffix}").write_bytes(content)
    for page in document.pages:
        problems = [page.error, *(block.error for block in page.blocks)]
        details = [*(each.detail for each in problems if each), *(each.detail for each in page.warnings)]
        for detail in details:
            print(f"ocr: {source}: page {page.index}: {detail}", file=sys.stderr)
    return document.is_complete


def _print(content: bytes) -> None:
    """Write to the standard output, even if it has no buffer: then a pipe may take a part of a `write`."""
    with open(sys.stdout.fileno(), "wb", closefd=False) as output:
        output.write(content)


_stdin: list[bytes] = []


def _source(source: str) -> str | bytes:
    if source != "-":
        return source
    if not _stdin:
        stream: BinaryIO = sys.stdin.buffer
        _stdin.append(stream.read())
    return _stdin[0]


def _content(document: Document, suffix: str) -> bytes:
    """Return a format that the JSON answer has."""
    if suffix == "json":
        return json.dumps(document.raw, ensure_ascii=False, indent=2).encode()
    text = document.markdown if suffix == "md" else document.text
    return (text + "\n").encode()


def _names(sources: Sequence[str]) -> list[str]:
    """Return the names of the results: without suffix, unless two would be the same."""
    files = [_file_name(source) for source in sources]
    stems = [Path(name).stem for name in files]
    return stems if len(set(stems)) == len(stems) else files


def _file_name(source: str) -> str:
    is_address = "://" in source
    name = (source.split("?")[0] if is_address else source).rstrip("/").rsplit("/", 1)[-1]
    return name if name not in ("", "-") else "stdin"


def _waiting() -> Callable[[OcrError], None]:
    """Return a function that prints why the command waits, once for each reason."""
    told: set[str] = set()

    def tell(reason: OcrError) -> None:
        if str(reason) not in told:
            print(f"ocr: waiting: {reason}", file=sys.stderr)
        told.add(str(reason))

    return tell


def _progress(source: str) -> Callable[[Job], None]:
    """Return a function that draws a bar, if somebody looks."""

    def draw(job: Job) -> None:
        if not sys.stderr.isatty():
            return
        filled = _BAR_WIDTH * job.pages_done // max(1, job.pages_total)
        bar = "#" * filled + "." * (_BAR_WIDTH - filled)
        end = "\r" if job.is_open else "\n"
        print(f"{source} [{bar}] {job.pages_done}/{job.pages_total}", end=end, file=sys.stderr, flush=True)

    return draw


if __name__ == "__main__":
    sys.exit(main())
