"""`--ray`: the nodes of a Ray cluster read the documents.

Ray Data has three stages: one task lists the documents, actors read them, the driver gets the outcomes. An
actor is a session of its own. Ray repeats the work of a lost node, and documents that are done already are
skipped.
"""

import argparse
import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import ray
from ray.data import ActorPoolStrategy, DataContext
from ray.exceptions import RayError

from ocr_service.bulk.errors import CannotRun
from ocr_service.bulk.patience import Patience
from ocr_service.bulk.places import check_places, source_at
from ocr_service.bulk.reading import DocumentReader
from ocr_service.bulk.run import in_flight
from ocr_service.bulk.session import session
from ocr_service.bulk.values import Document, Outcome, Record

T = TypeVar("T")

_ROOT = str(Path(__file__).parents[2])
# Bytes of a block of the listing: some hundred documents, so that reading begins at once.
_BLOCK = 2**16
# Batches that an actor has at a time: the next one begins before the last document of one is read.
_BATCHES = 2


def read_on_ray(options: argparse.Namespace) -> Iterator[Outcome]:
    """Yield the outcomes of a run on a Ray cluster, or on this machine if there is none.

    Raises CannotRun. The nodes take the settings and the API key from their own environment, so that no
    secret goes through Ray.
    """
    options = argparse.Namespace(**{**vars(options), "key": None})
    check_places(options.source, options.results)
    source_at(options.source, os.environ, Patience(options.patience))
    ray.init(ignore_reinit_error=True, runtime_env={"env_vars": {"PYTHONPATH": _ROOT}})
    DataContext.get_current().target_max_block_size = _BLOCK
    batch = max(1, options.in_flight // _BATCHES)
    documents = ray.data.range(1).flat_map(_listed, fn_args=(options,))
    outcomes = documents.repartition(target_num_rows_per_block=batch).map_batches(
        Worker,
        fn_constructor_args=(options,),
        batch_size=batch,
        compute=ActorPoolStrategy(min_size=1, max_size=options.workers, enable_true_multi_threading=True),
        num_cpus=options.worker_cpus,
        max_concurrency=_BATCHES,
    )
    try:
        for row in outcomes.iter_rows():
            yield _outcome(row["outcome"])
    except RayError as error:
        cause = getattr(error, "cause", None) or type(error).__name__
        raise CannotRun(f"The workers of Ray failed: {cause}") from None


def _listed(_: Mapping[str, Any], options: argparse.Namespace) -> Iterator[dict[str, str]]:
    """Yield the documents as rows; the memory does not grow with their number."""
    documents = source_at(options.source, os.environ, Patience(options.patience)).documents()
    with asyncio.Runner() as runner:
        while document := runner.run(_next(documents)):
            if options.shard.has(document.name):
                yield {"document": json.dumps(asdict(document))}


class Worker:
    """An actor that reads batches of documents; its service runs as long as it does."""

    def __init__(self, options: argparse.Namespace) -> None:
        options.key = os.environ.get("OCR_API_KEY")
        opened: Future[tuple[asyncio.AbstractEventLoop, DocumentReader]] = Future()
        threading.Thread(target=lambda: asyncio.run(_hold(options, opened)), daemon=True).start()
        self._loop, self._reader = opened.result()

    def __call__(self, batch: Mapping[str, Sequence[Any]]) -> dict[str, list[str]]:
        """Read the documents of a batch, and return their outcomes."""
        documents = [Document(**json.loads(str(text))) for text in batch["document"]]
        return {"outcome": self._run(self._read(documents))}

    async def _read(self, documents: Sequence[Document]) -> list[str]:
        found = in_flight(_each(documents), self._reader, len(documents))
        return [_text(outcome) async for outcome in found if outcome]

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


async def _hold(
    options: argparse.Namespace, opened: "Future[tuple[asyncio.AbstractEventLoop, DocumentReader]]"
) -> None:
    """Hold a session open as long as this process lives."""
    try:
        async with session(options, os.environ) as reader:
            opened.set_result((asyncio.get_running_loop(), reader))
            await asyncio.Event().wait()
    except CannotRun as error:
        if opened.done():
            # The service has died. Ray starts the actor again, and repeats its batches.
            os._exit(1)
        opened.set_exception(error)


def _text(outcome: Outcome) -> str:
    return json.dumps([asdict(outcome.document), outcome.record.to_json(), outcome.is_skipped])


def _outcome(text: str) -> Outcome:
    document, record, is_skipped = json.loads(text)
    return Outcome(Document(**document), Record.of_json(record), is_skipped)


async def _next(documents: AsyncIterator[Document]) -> Document | None:
    return await anext(documents, None)


async def _each(documents: Sequence[Document]) -> AsyncIterator[Document]:
    for document in documents:
        yield document
