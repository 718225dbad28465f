"""Images laid over the memory that a worker process shares."""

from typing import get_args

import pytest
from PIL import Image

from ocr_service.core.documents import ImageMode
from ocr_service.decoding.canvas import BYTES_PER_PIXEL, image_in
from ocr_service.runtime.processes.shared_memory import SharedMemory

SIZE = (30, 20)


@pytest.mark.parametrize("mode", get_args(ImageMode))
def test_memory_is_in_use_as_long_as_the_image_lives(mode: ImageMode) -> None:
    memory = SharedMemory(SIZE[0] * SIZE[1] * BYTES_PER_PIXEL[mode])
    image = image_in(memory.lend(), SIZE, mode)
    assert (image.mode, image.size, image.getextrema()) == (mode, SIZE, Image.new(mode, SIZE).getextrema())
    assert not memory.is_free
    del image
    assert memory.is_free
    memory.close()


@pytest.mark.parametrize("mode", get_args(ImageMode))
def test_drawing_on_a_page_leaves_the_memory_as_it_is(mode: ImageMode) -> None:
    memory = SharedMemory(SIZE[0] * SIZE[1] * BYTES_PER_PIXEL[mode])
    image = image_in(memory.lend(), SIZE, mode)
    image.paste("white", (0, 0, 5, 5))
    assert image.getextrema() != Image.new(mode, SIZE).getextrema()
    assert not any(memory.lend()), "the image has its own pixels now"
    memory.close()


@pytest.mark.parametrize("size", [(0, 5), (30, 21), (1_000_000, 1_000_000)])
def test_page_that_is_larger_than_its_memory_is_refused(size: tuple[int, int]) -> None:
    memory = SharedMemory(1)
    with pytest.raises(ValueError, match="larger than its memory"):
        image_in(memory.lend(), (size[0] * 1000, size[1] * 1000), "RGB")
    memory.close()
