"""Shards: each worker of a run reads its own part of the documents."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count` equal parts. index: from 0."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Parse a text such as "0/8"; raises ValueError."""
        index, _, count = text.partition("/")
        shard = cls(int(index), int(count))
        if not 0 <= shard.index < shard.count:
            raise ValueError("the index of a shard is between 0 and their number less one")
        return shard

    def has(self, name: str) -> bool:
        """Whether a document belongs to this shard. The name alone decides, so new documents move none."""
        digest = hashlib.blake2b(name.encode(errors="surrogateescape"), digest_size=8).digest()
        return int.from_bytes(digest) % self.count == self.index
