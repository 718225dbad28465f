"""Frames between the service and its workers: a length and a pickled value, with open files beside it."""

import importlib
import io
import os
import pickle
import socket
import struct
from collections.abc import Sequence
from enum import Enum
from typing import Any

_LENGTH = struct.Struct(">Q")
_MAX_FILES = 2
# A reply can have these beside those of `classes_from`.
_OWN_CLASSES = "ocr_service.runtime.processes.calls"

MAX_REPLY_BYTES = 64 * 2**20
"""A longer reply of a worker is refused."""


class InvalidReply(Exception):
    """A worker sent a value that no worker sends: it is broken, or it runs code of its document."""


def send(connection: socket.socket, value: object, files: Sequence[int] = ()) -> None:
    """Send a value, with copies of the file descriptors."""
    body = _pickled(value)
    frame = _LENGTH.pack(len(body)) + body
    sent = socket.send_fds(connection, [frame], files)
    connection.sendall(frame[sent:])


def receive(connection: socket.socket) -> tuple[Any, list[int]] | None:
    """Block until the service sends a value with its files; None when the service has gone."""
    head, files, _, _ = socket.recv_fds(connection, _LENGTH.size, _MAX_FILES)
    if not head:
        return None
    body = connection.recv(_LENGTH.unpack(head)[0], socket.MSG_WAITALL)
    return pickle.loads(body), files


def missing(frame: bytes | bytearray) -> int:
    """Return the number of bytes that a frame lacks; raises InvalidReply if it is too long."""
    if len(frame) < _LENGTH.size:
        return _LENGTH.size - len(frame)
    length: int = _LENGTH.unpack_from(frame)[0]
    if length > MAX_REPLY_BYTES:
        raise InvalidReply
    return _LENGTH.size + length - len(frame)


def reply_in(frame: bytes | bytearray, classes_from: Sequence[str]) -> Any:
    """Return the value of a whole frame of a worker; raises InvalidReply.

    classes_from: starts of the names of the modules whose classes a reply may contain, beside plain values.
    """
    try:
        return _Unpickler(frame[_LENGTH.size :], classes_from).load()
    except Exception as error:
        raise InvalidReply from error


def file_of(data: bytes) -> int:
    """Return the descriptor of a new file in memory that contains the data."""
    file = os.memfd_create("document", os.MFD_CLOEXEC)
    with open(file, "wb", closefd=False) as writer:
        writer.write(data)
    return file


def _pickled(value: object) -> bytes:
    body = io.BytesIO()
    _Pickler(body, protocol=pickle.HIGHEST_PROTOCOL).dump(value)
    return body.getvalue()


class _Pickler(pickle.Pickler):
    """Writes the members of enumerations as their class and value.

    Python 3.11.2, that of Debian 12, writes a call of `getattr`, which the service refuses.
    """

    def reducer_override(self, value: object) -> Any:
        return (type(value), (value.value,)) if isinstance(value, Enum) else NotImplemented


class _Unpickler(pickle.Unpickler):
    """Makes no other objects than plain values and instances of the named classes, which do nothing."""

    def __init__(self, data: bytes | bytearray, classes_from: Sequence[str]) -> None:
        super().__init__(io.BytesIO(data))
        self._classes_from = (_OWN_CLASSES, *classes_from)

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if module_name.startswith(self._classes_from):
            found = getattr(importlib.import_module(module_name), global_name, None)
            if isinstance(found, type) and found.__module__.startswith(self._classes_from):
                return found
        raise pickle.UnpicklingError(f"a reply contains {module_name}.{global_name}")
