"""The command `ocr-bulk`."""

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from ocr_service.bulk.errors import CannotRun
from ocr_service.bulk.estimate import estimate, plan
from ocr_service.bulk.patience import Patience
from ocr_service.bulk.places import check_places, results_at, source_at
from ocr_service.bulk.progress import Progress
from ocr_service.bulk.reading import DocumentReader, Limit
from ocr_service.bulk.replica import Replica
from ocr_service.bulk.run import in_flight
from ocr_service.bulk.shards import Shard
from ocr_service.bulk.values import SUFFIXES, Document, Wanted

ALL_DONE, COULD_NOT_RUN, SOME_FAILED = 0, 1, 3


def main(arguments: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    """Read the documents; return the exit code."""
    options = _parser(environment).parse_args(arguments)
    try:
        return asyncio.run(_run(options, environment))
    except CannotRun as error:
        print(f"ocr-bulk: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("ocr-bulk: stopped; the same command goes on", file=sys.stderr)
    return COULD_NOT_RUN


async def _run(options: argparse.Namespace, environment: Mapping[str, str]) -> int:
    check_places(options.source, options.results)
    patience = Patience(options.patience)
    source = source_at(options.source, environment, patience)
    results = results_at(options.results, environment, patience)
    async with Replica(options.server, options.key, patience) as replica:
        engine = await replica.engine()
        limit = Limit(options.limit)
        reader = DocumentReader(
            source, results, replica, engine, _wanted(options), options.retry_failed, limit
        )
        if options.dry_run:
            found = await plan(_chosen(options, reader), reader, options.in_flight, options.sample)
            print(await estimate(found, reader, options.in_flight))
            return ALL_DONE
        return await _read_all(options, reader)


def _wanted(options: argparse.Namespace) -> Wanted:
    own = {name: value for name in ("pages", "lang") if (value := getattr(options, name))}
    return Wanted(options.format, {**dict(options.option), **own})


async def _read_all(options: argparse.Namespace, reader: DocumentReader) -> int:
    with ExitStack() as opened:
        # Names of files can be invalid as text.
        report = options.report and opened.enter_context(options.report.open("w", errors="surrogateescape"))
        progress = opened.enter_context(Progress(report))
        counting = asyncio.create_task(_count(options, reader, progress))
        try:
            async for outcome in in_flight(_chosen(options, reader), reader, options.in_flight):
                if outcome is not None:
                    progress.add(outcome)
        finally:
            counting.cancel()
    print(f"ocr-bulk: {progress.sums}", file=sys.stderr)
    return ALL_DONE if progress.sums.all_done else SOME_FAILED


async def _chosen(options: argparse.Namespace, reader: DocumentReader) -> AsyncIterator[Document]:
    """Yield the documents of this shard, until the limit is reached."""
    shard: Shard = options.shard
    async for document in reader.source.documents():
        if reader.limit.is_reached:
            return
        if shard.has(document.name):
            yield document


async def _count(options: argparse.Namespace, reader: DocumentReader, progress: Progress) -> None:
    """Count the documents beside the run, for the time that is left."""
    if progress.is_shown and options.limit is None:
        # The run itself reports the error.
        with suppress(CannotRun, OSError):
            count = 0
            async for _ in _chosen(options, reader):
                count += 1
            progress.expect(count)


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ocr-bulk",
        description="Read all documents below a folder or a prefix of a bucket. Start the same command again "
        "to go on after an interruption, or to read new documents.",
        epilog="Exit codes: 0, all documents are read; 3, text of some is missing; 1, the command could not "
        "run; 2, wrong usage.",
    )
    add = parser.add_argument
    add("source", help="folder, or s3://bucket/prefix/")
    add("results", help="folder, or s3://bucket/prefix/, which is not below the documents")
    add(
        "--server",
        metavar="URL",
        default=environment.get("OCR_URL", "http://localhost:8081"),
        help="service that reads the documents; default: OCR_URL, or http://localhost:8081",
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
    return parser


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
