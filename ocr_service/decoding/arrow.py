"""Pixels in memory as an array of the Arrow C data interface, over which Pillow lays images of any mode."""

import ctypes
from typing import Any

# A number of 32 bits for each pixel.
_FORMAT = b"I"


class _Schema(ctypes.Structure):
    _fields_ = (
        ("format", ctypes.c_char_p),
        ("name", ctypes.c_char_p),
        ("metadata", ctypes.c_char_p),
        ("flags", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("children", ctypes.c_void_p),
        ("dictionary", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
    )


class _Array(ctypes.Structure):
    _fields_ = (
        ("length", ctypes.c_int64),
        ("null_count", ctypes.c_int64),
        ("offset", ctypes.c_int64),
        ("n_buffers", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("buffers", ctypes.POINTER(ctypes.c_void_p)),
        ("children", ctypes.c_void_p),
        ("dictionary", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
    )


_Destructor = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_new_capsule = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, _Destructor)(
    ("PyCapsule_New", ctypes.pythonapi)
)
# The objects that a capsule points to, by the address of the capsule.
_kept: dict[int, object] = {}


def _forget(capsule: int) -> None:
    _kept.pop(capsule, None)


# It lives as long as the module, because capsules outlive everything else that could hold it.
_destructor = _Destructor(_forget)


class PixelArray:
    """Exports memory with four bytes per pixel. The memory is in use as long as an image is laid over it."""

    def __init__(self, memory: memoryview, pixels: int) -> None:
        self._memory = memory
        self._pixels = pixels

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[Any, Any]:
        schema = _Schema(format=_FORMAT, name=b"")
        first = ctypes.c_char.from_buffer(self._memory)
        # Without a bitmap of missing values.
        buffers = (ctypes.c_void_p * 2)(None, ctypes.addressof(first))
        array = _Array(length=self._pixels, n_buffers=2, buffers=buffers)
        return _capsule(schema, b"arrow_schema"), _capsule(array, b"arrow_array", self._memory, buffers)


def _capsule(structure: ctypes.Structure, name: bytes, *used: object) -> Any:
    capsule = _new_capsule(ctypes.addressof(structure), name, _destructor)
    _kept[id(capsule)] = (structure, name, *used)
    return capsule
