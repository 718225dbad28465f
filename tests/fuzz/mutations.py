"""Mutations of valid files: in the sizes, counts and offsets of their format, and anywhere else."""

import random
from collections.abc import Callable

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz.anatomy import ANATOMY, TELLING_NUMBERS
from tests.fuzz.corpus import corpus
from tests.fuzz.pdf_mutations import change_pdf

CORPUS = corpus()

_MOST_MUTATIONS = 6
# Files and mutations are small: if a page is slow or large, the cause is its content and not its length.
_LONGEST_FILE = 64 * 1024

Mutation = Callable[[st.DrawFn, str, bytes], bytes]


def _place(draw: st.DrawFn, data: bytes) -> int:
    return draw(st.integers(0, max(len(data) - 1, 0)))


def _flip_bits(draw: st.DrawFn, _: str, data: bytes) -> bytes:
    flipped = bytearray(data)
    for _time in range(draw(st.integers(1, 8))):
        flipped[_place(draw, data)] ^= 1 << draw(st.integers(0, 7))
    return bytes(flipped)


def _make_noise(draw: st.DrawFn, _: str, data: bytes) -> bytes:
    noise = random.Random(draw(st.integers(0, 2**32)))
    start, length = _place(draw, data), draw(st.integers(1, 64))
    return data[:start] + noise.randbytes(min(length, len(data) - start)) + data[start + length :]


def _truncate(draw: st.DrawFn, _: str, data: bytes) -> bytes:
    return data[: _place(draw, data) + 1]


def _repeat(draw: st.DrawFn, _: str, data: bytes) -> bytes:
    start = _place(draw, data)
    end = start + draw(st.integers(1, 64))
    return data[:end] + data[start:end] * draw(st.sampled_from((1, 2, 100, 1000))) + data[end:]


def _splice(draw: st.DrawFn, format_name: str, data: bytes) -> bytes:
    other = draw(st.sampled_from(CORPUS[format_name]))
    return data[: _place(draw, data)] + other[_place(draw, other) :]


def _set_a_number(draw: st.DrawFn, format_name: str, data: bytes) -> bytes:
    numbers = list(ANATOMY[format_name].numbers(data))
    if not numbers:
        return _flip_bits(draw, format_name, data)
    number = draw(st.sampled_from(numbers))
    before = int.from_bytes(data[number.at : number.at + number.size], number.order)
    near = (before + 1, max(before - 1, 0), before * 2, len(data), number.at)
    chosen: int = draw(st.sampled_from((*TELLING_NUMBERS, *near)))
    value = (chosen % (1 << 8 * number.size)).to_bytes(number.size, number.order)
    return data[: number.at] + value + data[number.at + number.size :]


def _rearrange_parts(draw: st.DrawFn, format_name: str, data: bytes) -> bytes:
    parts = list(ANATOMY[format_name].parts(data))
    if not parts:
        return _truncate(draw, format_name, data)
    start, end = draw(st.sampled_from(parts))
    other_start, other_end = draw(st.sampled_from(parts))
    part, other = data[start:end], data[other_start:other_end]
    instead = draw(st.sampled_from((b"", other, part + other, part * 2, part * 50)))
    return data[:start] + instead + data[end:]


def _take_over_a_part(draw: st.DrawFn, format_name: str, data: bytes) -> bytes:
    parts = list(ANATOMY[format_name].parts(data))
    other = draw(st.sampled_from(CORPUS[format_name]))
    theirs = list(ANATOMY[format_name].parts(other))
    if not parts or not theirs:
        return _splice(draw, format_name, data)
    start, end = draw(st.sampled_from(parts))
    their_start, their_end = draw(st.sampled_from(theirs))
    kept = start if draw(st.booleans()) else end
    return data[:kept] + other[their_start:their_end] + data[end:]


def _change_pdf(draw: st.DrawFn, format_name: str, data: bytes) -> bytes:
    changed = change_pdf(draw, data)
    return _flip_bits(draw, format_name, data) if changed is None else changed


_ANYWHERE: tuple[Mutation, ...] = (_flip_bits, _make_noise, _truncate, _repeat, _splice)
_IN_PARTS: tuple[Mutation, ...] = (_rearrange_parts, _take_over_a_part)


def _mutations(format_name: str) -> tuple[Mutation, ...]:
    by_format = _change_pdf if format_name == "PDF" else _set_a_number
    return (*_ANYWHERE, *_IN_PARTS, *[by_format] * len(_ANYWHERE + _IN_PARTS))


@st.composite
def mutated(draw: st.DrawFn, format_name: str) -> bytes:
    """Take a file of the corpus and mutate it in one or several places."""
    data = draw(st.sampled_from(CORPUS[format_name]))
    mutations = _mutations(format_name)
    for _ in range(draw(st.integers(1, _MOST_MUTATIONS))):
        data = draw(st.sampled_from(mutations))(draw, format_name, data)[:_LONGEST_FILE] or b"\0"
    # In some cases only, as a wrong checksum or a wrong table offset is a mutation too.
    return ANATOMY[format_name].repaired(data) if draw(st.integers(0, 3)) else data


def try_mutated(format_name: str, first: int, files: int, try_one: Callable[[bytes], object]) -> None:
    """Try a number of files of a format; if the number of the turn is the same, so are the files.

    Values that `try_one` passes to `hypothesis.target` guide the search to files with higher ones.
    """

    @seed(first)
    @settings(
        database=None,
        deadline=None,
        max_examples=files,
        phases=[Phase.generate, Phase.target],
        suppress_health_check=list(HealthCheck),
    )
    @given(mutated(format_name))
    def run(data: bytes) -> None:
        try_one(data)

    run()
