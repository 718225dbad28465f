"""Texts that the stand-in for vLLM generates: invented, or a script, which can be a loop.

A text ends as with vLLM: by itself, at `max_completion_tokens`, or when its last tokens repeat themselves as
`repetition_detection` describes (vLLM 0.17 and later).
"""

import hashlib
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice, repeat
from typing import Any

import numpy as np

Request = Mapping[str, Any]
"""A chat completion request."""

_WORDS = ("акт", "банк", "вид", "год", "день", "закон", "итог", "край", "лист", "мера", "номер", "пункт")

# A tag, a command of LaTeX, a digit, up to four letters, or another character.
_TOKEN = re.compile(r"<\|?\w+\|?>|\\[A-Za-z]+|\d| ?[^\W\d_]{1,4}|.", re.DOTALL)


@dataclass(frozen=True)
class Generated:
    """content: None as in an answer without text. tokens: their number."""

    content: str | None
    tokens: int
    finish_reason: str = "stop"


@dataclass(frozen=True)
class Script:
    """A text for some blocks.

    loop: a pattern that follows it without end, or "" for none. prompt: start of the prompts of these blocks.
    """

    before: str
    loop: str = ""
    prompt: str = ""

    def pieces(self, request: Request) -> Iterator[str]:
        """Yield the text in pieces; a repetition penalty leads the model out of the loop."""
        penalized = (request.get("repetition_penalty") or 1) > 1
        turns = [] if not self.loop else [self.loop] if penalized else repeat(self.loop)
        return chain([self.before], turns)


def generate(request: Request, script: Script | None = None) -> Generated:
    """Return the answer to a request."""
    [*images, text] = request["messages"][0]["content"]
    if script is not None and text["text"].startswith(script.prompt):
        return write(script.pieces(request), request)
    pieces, tokens = _invented(text["text"], "".join(image["image_url"]["url"] for image in images))
    limit = request.get("max_completion_tokens") or tokens
    if limit >= tokens:
        return Generated("".join(pieces), tokens)
    return Generated("".join(pieces[: len(pieces) * limit // tokens]), limit, "length")


def write(pieces: Iterable[str], request: Request) -> Generated:
    """Generate the text token by token, until it ends or is ended."""
    limit = request.get("max_completion_tokens") or 16_384
    tokens = list(islice(chain.from_iterable(map(tokens_of, pieces)), limit))
    end = end_of_repetition(tokens, request.get("repetition_detection") or {})
    if end is not None and end < limit:
        return _generated(tokens[:end], "repetition")
    return _generated(tokens, "stop" if len(tokens) < limit else "length")


def tokens_of(text: str) -> Iterator[bytes]:
    """Split a text into tokens; a character that the vocabulary lacks is one token for each byte."""
    for match in _TOKEN.finditer(text):
        encoded = match[0].encode()
        if len(encoded) == 4 and len(match[0]) == 1:
            yield from (bytes([byte]) for byte in encoded)
        else:
            yield encoded


def end_of_repetition(tokens: Sequence[bytes], limits: Mapping[str, int]) -> int | None:
    """Return the number of tokens after which vLLM ends a text, or None.

    It does so when the last tokens are `min_count` times the same, for a number of tokens from
    `min_pattern_size` to `max_pattern_size`.
    """
    numbers: dict[bytes, int] = {}
    ids = np.array([numbers.setdefault(token, len(numbers)) for token in tokens])
    count, ends = limits.get("min_count", 0), []
    for size in range(limits.get("min_pattern_size") or 1, limits.get("max_pattern_size", 0) + 1):
        repeated = size * (count - 1)
        if repeated + size > len(ids):
            break
        unequal = np.flatnonzero(ids[size:] != ids[:-size])
        edges = np.concatenate(([-1], unequal, [len(ids) - size]))
        long_runs = np.flatnonzero(np.diff(edges) > repeated)
        if len(long_runs):
            ends.append(int(edges[long_runs[0]]) + 1 + repeated + size)
    return min(ends, default=None)


def _generated(tokens: Sequence[bytes], reason: str) -> Generated:
    # A character of which some bytes are missing is shown as U+FFFD.
    return Generated(b"".join(tokens).decode(errors="replace"), len(tokens), reason)


def _invented(prompt: str, crop: str) -> tuple[list[str], int]:
    """Invent an answer in the format of the prompt; return its parts and its number of tokens, 20 to 200."""
    rng = random.Random(hashlib.sha256(f"{prompt}{crop}".encode()).digest())
    tokens = rng.randint(20, 200)
    words = [rng.choice(_WORDS) for _ in range(tokens)]
    if prompt.startswith("Table"):
        return [f"<fcel>{word}" + "<nl>" * (n % 4 == 3) for n, word in enumerate(words)], tokens
    if prompt.startswith("Formula"):
        terms = [f" + x_{{{n}}}" for n in range(1, tokens // 4)]
        return ["\\[ x_{0}", *terms, " \\]"], tokens
    if prompt.startswith("Chart"):
        return [f"{word} | {n}" + "\n" * (n + 1 < tokens) for n, word in enumerate(words)], tokens
    if prompt.startswith("Spotting"):
        spots = [
            f"{word}<|LOC_{n}|><|LOC_{n}|><|LOC_{n + 50}|><|LOC_{n}|>"
            f"<|LOC_{n + 50}|><|LOC_{n + 20}|><|LOC_{n}|><|LOC_{n + 20}|>"
            for n, word in enumerate(words[:20])
        ]
        return spots, tokens
    return [words[0], *(f" {word}" for word in words[1:])], tokens
