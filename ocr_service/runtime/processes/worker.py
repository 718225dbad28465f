"""Main loop of a worker process."""

import mmap
import os
import select
import socket
import traceback

from ocr_service.core.errors import OcrError, bare
from ocr_service.runtime.memory import trim_malloc
from ocr_service.runtime.processes import frames, sandbox
from ocr_service.runtime.processes.calls import Call, Handler, Unexpected
from ocr_service.runtime.processes.commands import OUT_OF_MEMORY
from ocr_service.runtime.processes.shared_memory import MappedMemories

# After this time without a request, freed memory returns to the system.
_IDLE_SECONDS = 5.0


def serve(connection: socket.socket, handler: Handler) -> None:
    """Answer until the service closes the connection.

    Memory that runs out ends the process, because nothing in it can be relied on any more.
    """
    memories = MappedMemories()
    frames.send(connection, os.getpid())
    while received := _next(connection):
        call, files = received
        memories.keep(call.kept)
        memory = memories.get(call.memory, files[-1]) if call.memory else None
        if call.request is None or call.has_document:
            handler.set_document(None)
        if call.has_document:
            handler.set_document(_contents(files[0]))
        for file in files:
            os.close(file)
        if call.request is not None:
            frames.send(connection, _answer(call, memory, handler))


def _next(connection: socket.socket) -> tuple[Call, list[int]] | None:
    if not select.select([connection], [], [], _IDLE_SECONDS)[0]:
        trim_malloc()
    return frames.receive(connection)


def _contents(file: int) -> bytes:
    with open(file, "rb", closefd=False) as reader:
        # The position is that of the service, at the end.
        reader.seek(0)
        return reader.read()


def _answer(call: Call, memory: mmap.mmap | None, handler: Handler) -> object:
    sandbox.limit_cpu(call.seconds)
    try:
        return handler.answer(call.request, memory)
    except OcrError as error:
        return bare(error)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except Exception as error:
        return Unexpected(type(error).__name__, traceback.format_tb(error.__traceback__))
    finally:
        sandbox.limit_cpu(0)
