"""Decodes compressed responses: some servers compress files although the request asks for `identity`."""

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterable

from ocr_service.core.errors import FetchFailed

_ZLIB_ENCODINGS = ("gzip", "x-gzip", "deflate")
# zlib detects which of the two formats it reads.
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_CHUNK = 2**16


def decoded(chunks: AsyncIterable[bytes], encoding: str) -> AsyncIterable[bytes]:
    """Return the decoded chunks; raises FetchFailed if the encoding is not supported."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return chunks
    if encoding not in _ZLIB_ENCODINGS:
        raise FetchFailed("The server sent the file with an unsupported content encoding.")
    return _inflated(chunks)


async def _inflated(chunks: AsyncIterable[bytes]) -> AsyncGenerator[bytes]:
    """Yield decompressed chunks of limited size, so that a zip bomb never fills the memory."""
    decoder = zlib.decompressobj(_GZIP_OR_ZLIB)
    is_empty = True
    async for chunk in chunks:
        is_empty = False
        while piece := await _inflate(decoder, chunk):
            yield piece
            chunk = decoder.unconsumed_tail
        if decoder.unused_data:
            break
    if not is_empty and (not decoder.eof or decoder.unused_data):
        raise FetchFailed("The compressed file is incomplete, or other data follows it.")


async def _inflate(decoder: "zlib._Decompress", chunk: bytes) -> bytes:
    try:
        return await asyncio.to_thread(decoder.decompress, chunk, _CHUNK)
    except zlib.error:
        raise FetchFailed("The compressed file is damaged.") from None
