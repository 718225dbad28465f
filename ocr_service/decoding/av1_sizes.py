"""The sizes of the AV1 pictures in an AVIF file, as their own headers give them.

The decoder allocates memory for these sizes. The size that the container gives, and that Pillow returns
before decoding, may be smaller: then the decoder scales the picture down at the end.
"""

from collections.abc import Iterator
from dataclasses import dataclass

Size = tuple[int, int]

_SEQUENCE_HEADER = 1
# Units of data in all pictures; a picture has about three, or some for each of its layers.
_MAX_UNITS = 10_000


def av1_sizes(data: bytes) -> Iterator[Size]:
    """Yield width and height of each picture, such as the tiles of a grid and the transparency.

    Raises ValueError or KeyError if the file is damaged.
    """
    meta = _boxes(memoryview(data))[b"meta"]
    boxes = _boxes(meta[4:])
    units_left = _MAX_UNITS
    for item in _items(_Reader(boxes[b"iloc"]), data, bytes(boxes.get(b"idat", b""))):
        for kind, payload in _units(_Reader(memoryview(item))):
            units_left -= 1
            if not units_left:
                raise ValueError("too many units")
            if kind == _SEQUENCE_HEADER:
                yield _size_in(_Bits(bytes(payload[:64])))


@dataclass
class _Reader:
    """Reads numbers from bytes; raises ValueError at the end."""

    data: memoryview
    at: int = 0

    def take(self, count: int) -> memoryview:
        taken = self.data[self.at : self.at + count]
        self.at += count
        if len(taken) < count:
            raise ValueError("the data end early")
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def leb128(self) -> int:
        """Read a number of seven bits a byte, the lowest first."""
        value = 0
        for place in range(8):
            byte = self.number(1)
            value |= (byte & 0x7F) << 7 * place
            if byte < 0x80:
                break
        return value

    @property
    def left(self) -> int:
        return len(self.data) - self.at


def _boxes(data: memoryview) -> dict[bytes, memoryview]:
    """Return the contents of the boxes at one level, by kind; of equal kinds, the first."""
    boxes: dict[bytes, memoryview] = {}
    reader = _Reader(data)
    while reader.left >= 8:
        length, kind = reader.number(4), bytes(reader.take(4))
        header = 8
        if length == 1:
            length, header = reader.number(8), 16
        contents = reader.take(length - header if length else reader.left)
        boxes.setdefault(kind, contents)
    return boxes


def _items(iloc: _Reader, data: bytes, idat: bytes) -> Iterator[bytes]:
    """Yield the data of each item; ISO/IEC 14496-12, section 8.11.3."""
    version = iloc.number(4) >> 24
    sizes = iloc.number(2)
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version else 0
    for _ in range(iloc.number(4 if version == 2 else 2)):
        iloc.take(4 if version == 2 else 2)
        method = iloc.number(2) & 15 if version else 0
        iloc.take(2)
        base = iloc.number(base_size)
        source, parts = (data, idat)[method], []
        for _ in range(iloc.number(2)):
            iloc.take(index_size)
            start = base + iloc.number(offset_size)
            length = iloc.number(length_size)
            parts.append(source[start : start + length if length else None])
            if sum(map(len, parts)) > len(source):
                raise ValueError("an item is larger than the file")
        yield b"".join(parts)


def _units(reader: _Reader) -> Iterator[tuple[int, memoryview]]:
    """Yield kind and payload of the units (OBU); the AV1 specification, section 5.3."""
    while reader.left > 0:
        header = reader.number(1)
        reader.take(header >> 2 & 1)
        has_size = header >> 1 & 1
        yield header >> 3 & 15, reader.take(min(reader.leb128(), reader.left) if has_size else reader.left)


class _Bits:
    """Reads numbers of some bits."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise ValueError("the header ends early")
        return self._value >> self._left & ((1 << count) - 1)


def _size_in(bits: _Bits) -> Size:
    """Read a sequence header up to the size; the AV1 specification, section 5.5."""
    bits.take(4)
    if bits.take(1):
        bits.take(5)
    else:
        _skip_operating_points(bits)
    width_bits, height_bits = bits.take(4) + 1, bits.take(4) + 1
    return bits.take(width_bits) + 1, bits.take(height_bits) + 1


def _skip_operating_points(bits: _Bits) -> None:
    delay_bits = 0
    if bits.take(1):
        _skip_timing(bits)
        if bits.take(1):
            delay_bits = bits.take(5) + 1
            bits.take(32 + 5 + 5)
    has_display_delay = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:
            bits.take(1)
        if delay_bits and bits.take(1):
            bits.take(2 * delay_bits + 1)
        if has_display_delay and bits.take(1):
            bits.take(4)


def _skip_timing(bits: _Bits) -> None:
    bits.take(64)
    if bits.take(1):
        zeros = 0
        while not bits.take(1):
            zeros += 1
        bits.take(min(zeros, 32))
