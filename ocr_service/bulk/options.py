"""The options of `ocr-bulk`."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

from ocr_service.bulk.shards import Shard
from ocr_service.bulk.values import SUFFIXES, Wanted


def wanted_by(options: argparse.Namespace) -> Wanted:
    """Return the results that are wanted of each document."""
    own = {name: value for name in ("pages", "lang") if (value := getattr(options, name))}
    return Wanted(options.format, {**dict(options.option), **own})


def parsed(arguments: Sequence[str] | None, environment: Mapping[str, str]) -> argparse.Namespace:
    """Return the options; wrong ones end the process."""
    known = parser(environment)
    options = known.parse_args(arguments)
    if options.ray and (options.limit or options.dry_run):
        known.error("--limit and --dry-run do not work with --ray")
    return options


def parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    """Return the parser. environment: has some of the defaults."""
    made = argparse.ArgumentParser(
        prog="ocr-bulk",
        description="Read all documents below a folder or a prefix of a bucket. Start the same command again "
        "to go on after an interruption, or to read new documents.",
        epilog="Exit codes: 0, all documents are read; 3, text of some is missing; 1, the command could not "
        "run; 2, wrong usage.",
    )
    add = made.add_argument
    add("source", help="folder, or s3://bucket/prefix/")
    add("results", help="folder, or s3://bucket/prefix/; the two are not below each other")
    add(
        "--server",
        type=_url,
        metavar="URL",
        default=environment.get("OCR_URL", "http://localhost:8081"),
        help="service that reads the documents; default: OCR_URL, or http://localhost:8081",
    )
    add("--local", action="store_true", help="start a service on this machine for the time of the run")
    add("--ray", action="store_true", help="read on the nodes of a Ray cluster; needs the extra `ray`")
    add(
        "--workers",
        type=_positive,
        default=1,
        metavar="N",
        help="largest number of workers of --ray; default: 1",
    )
    add(
        "--worker-cpus",
        type=_positive,
        default=4,
        metavar="N",
        help="cores of a worker of --ray; default: 4",
    )
    add("--key", default=environment.get("OCR_API_KEY"), help="default: OCR_API_KEY, hidden from other users")
    add(
        "--format",
        type=_formats,
        default=["json", "markdown"],
        help=f"some of {', '.join(SUFFIXES)}, joined by commas; default: json,markdown",
    )
    add("--pages", help='such as "1-3,7"')
    add("--lang", help='such as "rus+eng"')
    add(
        "--option",
        action="append",
        type=_field,
        metavar="NAME=VALUE",
        default=[],
        help="another field of POST /ocr; can be repeated",
    )
    add("--in-flight", type=_positive, default=16, metavar="N", help="documents at a time; default: 16")
    add(
        "--batch",
        default="ocr-bulk",
        metavar="LABEL",
        help="label of the jobs, for GET /jobs?batch=LABEL; default: ocr-bulk",
    )
    add("--shard", type=_shard, default=Shard(0, 1), metavar="I/N", help="read only part I, from 0, of N")
    add("--retry-failed", action="store_true", help="read documents again of which text is missing")
    add("--limit", type=_positive, metavar="N", help="end after so many documents were read")
    add("--dry-run", action="store_true", help="store nothing; estimate the pages and the time")
    add(
        "--sample",
        type=_positive,
        default=10,
        metavar="N",
        help="documents that --dry-run reads; default: 10",
    )
    add("--report", type=Path, metavar="FILE", help="file for a JSON object per document")
    add(
        "--patience",
        type=float,
        default=600.0,
        metavar="SECONDS",
        help="for a service or a bucket that is away; default: 600",
    )
    return made


def _url(text: str) -> str:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if url.scheme not in ("http", "https") or not url.host:
        raise argparse.ArgumentTypeError(f"it must be such as http://ocr:8081, and is {text}")
    return text


def _formats(text: str) -> list[str]:
    formats = [part.strip() for part in text.split(",")]
    if unknown := [each for each in formats if each not in SUFFIXES]:
        raise argparse.ArgumentTypeError(f"unknown format: {', '.join(unknown)}")
    return formats


def _field(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError("it must be NAME=VALUE")
    return name, value


def _shard(text: str) -> Shard:
    try:
        return Shard.parse(text)
    except ValueError:
        raise argparse.ArgumentTypeError("it must be I/N, with I from 0 to N-1") from None


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("it must be 1 or more")
    return number
