"""The command `ocr-bulk`."""

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from ocr_service.bulk.errors import CannotRun
from ocr_service.bulk.estimate import estimate, plan
from ocr_service.bulk.options import parsed
from ocr_service.bulk.progress import Progress
from ocr_service.bulk.reading import DocumentReader
from ocr_service.bulk.run import in_flight
from ocr_service.bulk.session import session
from ocr_service.bulk.shards import Shard
from ocr_service.bulk.values import Document

ALL_DONE, COULD_NOT_RUN, SOME_FAILED = 0, 1, 3


def main(arguments: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    """Read the documents; return the exit code."""
    options = parsed(arguments, environment)
    try:
        return _read_on_ray(options) if options.ray else asyncio.run(_run(options, environment))
    except CannotRun as error:
        print(f"ocr-bulk: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("ocr-bulk: stopped; the same command goes on", file=sys.stderr)
    return COULD_NOT_RUN


async def _run(options: argparse.Namespace, environment: Mapping[str, str]) -> int:
    async with session(options, environment) as reader:
        if options.dry_run:
            found = await plan(_chosen(options, reader), reader, options.in_flight, options.sample)
            print(await estimate(found, reader, options.in_flight))
            return ALL_DONE
        return await _read_all(options, reader)


async def _read_all(options: argparse.Namespace, reader: DocumentReader) -> int:
    with _reporting(options) as progress:
        counting = asyncio.create_task(_count(options, reader, progress))
        try:
            async for outcome in in_flight(_chosen(options, reader), reader, options.in_flight):
                if outcome is not None:
                    progress.add(outcome)
        finally:
            counting.cancel()
    return _ended(progress)


def _read_on_ray(options: argparse.Namespace) -> int:
    # Imported here, because Ray is an extra, and heavy.
    try:
        from ocr_service.bulk.ray_run import read_on_ray
    except ModuleNotFoundError as error:
        raise CannotRun(f"--ray needs the extra `ray` ({error}).") from None
    with _reporting(options) as progress:
        for outcome in read_on_ray(options):
            progress.add(outcome)
    return _ended(progress)


@contextmanager
def _reporting(options: argparse.Namespace) -> Iterator[Progress]:
    with ExitStack() as opened:
        report = options.report and opened.enter_context(_report(options.report))
        yield opened.enter_context(Progress(report))


def _report(path: Path) -> IO[str]:
    """Open the report; each line is written at once, for a run that is killed. Raises CannotRun."""
    try:
        # Names of files can be invalid as text.
        return path.open("w", buffering=1, errors="surrogateescape")
    except OSError as error:
        raise CannotRun(f"--report: {path}: {error.strerror}") from None


def _ended(progress: Progress) -> int:
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
        with suppress(CannotRun):
            count = 0
            async for _ in _chosen(options, reader):
                count += 1
            progress.expect(count)
