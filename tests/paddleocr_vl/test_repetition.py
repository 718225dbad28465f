"""Loops are told from pages that repeat themselves, in tokens by vLLM and in characters by the service."""

import random
from functools import cache

import pytest

from ocr_service.engines.paddleocr_vl.block_texts import BlockText
from ocr_service.engines.paddleocr_vl.repetition import VLLM_DETECTION
from ocr_service.engines.paddleocr_vl.vlm_client import Completion
from tests.paddleocr_vl.repetition_corpus import LOOPS, REAL, Loop
from tests.stand_ins.generation import Generated, end_of_repetition, tokens_of, write

EXACT_LOOPS = [name for name, loop in LOOPS.items() if not loop.grows]


@pytest.mark.parametrize("name", REAL)
def test_page_that_repeats_itself_is_not_a_loop(name: str) -> None:
    text = REAL[name]
    assert BlockText.of(Completion(text)) == BlockText(text)
    assert write([text], {"repetition_detection": VLLM_DETECTION}).finish_reason == "stop"
    # Worst case for vLLM: each character is a token.
    assert end_of_repetition([character.encode() for character in text], VLLM_DETECTION) is None


@pytest.mark.parametrize("name", REAL)
def test_cut_page_is_not_a_loop(name: str) -> None:
    text = REAL[name]
    for end in random.Random(name).sample(range(1, len(text)), 9):
        block = BlockText.of(Completion(text[:end], "length"))
        assert (block.text, block.error and block.error.code) == (text[:end], "truncated")


@cache
def generated(name: str, limit: int | None) -> Generated:
    """Return a loop as vLLM generates it."""
    return write(
        LOOPS[name].pieces(), {"max_completion_tokens": limit, "repetition_detection": VLLM_DETECTION}
    )


@pytest.mark.parametrize("name", EXACT_LOOPS)
def test_loop_that_vllm_ends_is_cut_after_its_first_repetition(name: str) -> None:
    loop = LOOPS[name]
    text = generated(name, 16_384)
    assert text.finish_reason == ("repetition" if pattern_size(loop) <= 128 else "length") and text.content
    block = BlockText.of(Completion(text.content, text.finish_reason))
    assert block.error and block.error.code == "repetition"
    assert_kept(block.text, loop)


@pytest.mark.parametrize("name", LOOPS)
def test_loop_that_vllm_does_not_end_is_found(name: str) -> None:
    """A vLLM before 0.17 ends it at the limit of tokens, which can be anywhere in the pattern."""
    loop = LOOPS[name]
    for length in random.Random(name).sample(range(9000, 24_000), 3):
        for reason in ("length",) if loop.grows else ("stop", "length"):
            block = BlockText.of(Completion(loop.text(length), reason))
            assert block.error and block.error.code == "repetition"
            assert_kept(block.text, loop)


def assert_kept(text: str, loop: Loop) -> None:
    """Check what is kept; the loop may begin a few characters earlier, if these end its pattern as well."""
    assert loop.text(len(text)) == text
    assert abs(len(text) - len(loop.kept)) <= 6


def test_limit_that_falls_into_a_character() -> None:
    loop = LOOPS["a character of four bytes"]
    text = write(loop.pieces(), {"max_completion_tokens": 8191})
    assert text.content and text.content.endswith("😀\ufffd")
    block = BlockText.of(Completion(text.content, "length"))
    assert block.error and block.error.code == "repetition" and block.text == loop.kept
    assert BlockText.of(Completion("Цена\ufffd", "length")).text == "Цена"


def test_vllm_generates_few_tokens_of_a_loop() -> None:
    """Patterns of more than 64 tokens, and growing numbers, go on to the limit, here of 4096 tokens."""
    spent = {name: min(4096, generated(name, 16_384).tokens) for name in LOOPS}
    for name, loop in LOOPS.items():
        pattern = pattern_size(loop)
        # A short pattern counts as a multiple of itself that has at least 8 tokens.
        compared = pattern * -(-8 // pattern)
        before = len(list(tokens_of(loop.before)))
        assert spent[name] == 4096 if loop.grows else spent[name] <= before + 64 * compared + pattern
    assert sum(spent[name] for name in EXACT_LOOPS) < 0.4 * 4096 * len(EXACT_LOOPS)
    assert write(LOOPS["a word"].pieces(), {"max_completion_tokens": 4096}).tokens == 4096


def pattern_size(loop: Loop) -> int:
    return len(list(tokens_of(loop.turn(1))))


def test_stand_in_ends_texts_as_vllm() -> None:
    """Compare it with the condition of vLLM, checked after each token."""
    rng = random.Random(1)
    for _ in range(300):
        tokens = [bytes([rng.choice(b"aab")]) for _ in range(rng.randrange(40))]
        low, count = rng.randint(0, 3), rng.randint(2, 4)
        limits = {"min_pattern_size": low, "max_pattern_size": low + rng.randint(0, 4), "min_count": count}
        ends = (end for end in range(len(tokens) + 1) if ends_with_repetition(tokens[:end], **limits))
        assert end_of_repetition(tokens, limits) == next(ends, None)


def ends_with_repetition(
    tokens: list[bytes], min_pattern_size: int, max_pattern_size: int, min_count: int
) -> bool:
    sizes = range(max(1, min_pattern_size), max_pattern_size + 1)
    return any(
        len(tokens) >= size * min_count and tokens[-size * min_count :] == tokens[-size:] * min_count
        for size in sizes
    )


def test_long_texts_are_checked_in_linear_time() -> None:
    """With quadratic time, a megabyte would take hours."""
    lines = "".join(f"{'_' * (n % 70)} {n % 13}\n" for n in range(20_000))
    for text in ("0" * 10**6, lines, "<ecel><ecel><nl>" * 60_000, "1, " * 300_000):
        for reason in ("stop", "length"):
            BlockText.of(Completion(text, reason))
