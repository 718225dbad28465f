"""Pages for the layout stand-in: each encodes its own layout in grey cells along its upper edge.

The page is a grid of 63 x 63 units. Each box takes six cells: label, score, left, top, right, bottom. The
grey value of a cell is four times its number; if the cell is white, there is no box. Boxes are in reading
order. The layout model sees the page resized to 800 x 800 pixels, so a cell is 8 x 8 pixels.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tests.samples import RUSSIAN, SERIF, wrap

# Enough for a model that reads cells; the benchmarks use pages of the usual resolution.
A4_AT_100_DPI = (827, 1170)
A4_AT_200_DPI = (1654, 2339)

MODEL_SIDE = 800
CELL = 8
UNITS = 63
CELLS_A_BOX = 6
BOXES_A_ROW = 16
ROWS = 5
# Boxes begin below the cells.
TOP = 5

LABELS = (
    "abstract", "algorithm", "aside_text", "chart", "content", "display_formula", "doc_title", "figure_title",
    "footer", "footer_image", "footnote", "formula_number", "header", "header_image", "image",
    "inline_formula", "number", "paragraph_title", "reference", "reference_content", "seal", "table", "text",
    "vertical_text", "vision_footnote",
)  # fmt: skip
"""The 25 labels of PP-DocLayoutV3, in its order."""

_PICTURES = {"image", "chart", "seal", "header_image", "footer_image"}
# Mark in the upper left corner for the orientation stand-in: left, top, right, bottom, in units.
CORNER_MARK = (1, 6, 3, 8)


@dataclass(frozen=True)
class Box:
    """A block of the page: edges in units, score in hundredths of 64."""

    label: str
    left: int
    top: int
    right: int
    bottom: int
    score: int = 58


def draw_page(
    boxes: Sequence[Box], seed: int = 0, size: tuple[int, int] = A4_AT_100_DPI, marked: bool = False
) -> Image.Image:
    """Draw the boxes, each with content of its kind, and the cells that encode them.

    seed: pages with different seeds have different contents. marked: draw the corner mark too.
    """
    rng = random.Random(seed)
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    for box in boxes:
        edges = _pixels((box.left, box.top, box.right, box.bottom), size)
        _fill(image, draw, box.label, edges, rng)
    _print_cells(draw, boxes, size)
    if marked:
        draw.rectangle(_pixels(CORNER_MARK, size), fill="black")
    return image


def text_page(blocks: int, seed: int = 0, size: tuple[int, int] = A4_AT_100_DPI) -> Image.Image:
    """Make a page of one column of text blocks."""
    height = (UNITS - TOP) // blocks
    tops = [TOP + 1 + height * number for number in range(blocks)]
    return draw_page([Box("text", 4, top, 59, top + height - 1) for top in tops], seed, size)


def crowded_page(seed: int = 0) -> Image.Image:
    """Make a page of 80 small blocks, the maximum that the cells can encode."""
    corners = [(1 + 15 * column, TOP + 1 + 2 * row) for column in range(4) for row in range(20)]
    boxes = [Box("text", left, top, left + 14, top + 1) for left, top in corners]
    return draw_page(boxes, seed, size=(2480, 3508))


class LazyPages(Mapping[str, Image.Image]):
    """Named pages, each drawn when it is first used."""

    def __init__(self, drawings: Mapping[str, Callable[[], Image.Image]]) -> None:
        self._drawings = {name: cache(draw) for name, draw in drawings.items()}

    def __getitem__(self, name: str) -> Image.Image:
        return self._drawings[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._drawings)

    def __len__(self) -> int:
        return len(self._drawings)


def _various_drawings(size: tuple[int, int]) -> Iterator[tuple[str, Callable[[], Image.Image]]]:
    yield "empty", lambda: Image.new("RGB", size, "white")
    yield "empty but for noise", lambda: Image.fromarray(_noise(random.Random(3), 700, 900))
    yield "80 blocks", crowded_page
    for seed in range(4):
        yield f"one block {seed}", partial(text_page, 1, seed, size)
        yield f"12 blocks {seed}", partial(text_page, 12, seed, size)
        yield f"landscape {seed}", partial(text_page, 5, seed, size=(1500, 900))
    for seed, label in enumerate(LABELS):
        boxes = [
            Box("doc_title", 10, 7, 50, 10),
            Box(label, 5, 14, 40, 24),
            Box("formula_number", 42, 14, 48, 24),
            Box(label, 8, 27, 58, 37),
            Box("text", 4, 40, 59, 50),
        ]
        yield f"with {label}", partial(draw_page, boxes, seed, size)
    # The pipeline replaces a picture inside a table with a mark for the VLM, and the mark with an image tag.
    boxes = [Box("table", 4, 10, 59, 40), Box("image", 8, 14, 20, 22), Box("text", 4, 44, 30, 50)]
    yield "picture in a table", partial(draw_page, boxes, 99, size)
    # Adjacent blocks in two columns, which the pipeline merges into one block.
    boxes = [Box("text", 4, 10, 30, 59), Box("text", 33, 10, 59, 40), Box("footer", 20, 60, 40, 62)]
    yield "two columns", partial(draw_page, boxes, 100, size)


def various_pages(size: tuple[int, int]) -> LazyPages:
    """Return 40 different pages: every label, several sizes, an empty page, one block, 80 blocks."""
    return LazyPages(dict(_various_drawings(size)))


VARIOUS_PAGES = various_pages(A4_AT_100_DPI)


def _pixels(units: tuple[int, int, int, int], size: tuple[int, int]) -> tuple[int, int, int, int]:
    across, down = size[0] / UNITS, size[1] / UNITS
    left, top, right, bottom = units
    return round(left * across), round(top * down), round(right * across), round(bottom * down)


def _fill(
    image: Image.Image,
    draw: ImageDraw.ImageDraw,
    label: str,
    edges: tuple[int, int, int, int],
    rng: random.Random,
) -> None:
    left, top, right, bottom = edges
    if label in _PICTURES:
        image.paste(Image.fromarray(_noise(rng, right - left, bottom - top)), (left, top))
        return
    scale = image.width / A4_AT_200_DPI[0]
    font, leading, margin = ImageFont.truetype(SERIF, 34 * scale), 46 * scale, 10 * scale
    words = " ".join(RUSSIAN).split()
    rng.shuffle(words)
    lines = wrap(" ".join(words), font, round(right - left - 2 * margin))
    for number, line in enumerate(lines[: int((bottom - top - 4) / leading)]):
        place = (left + margin, top + 4 + leading * number)
        draw.text(place, line, font=font, fill=(rng.randrange(60),) * 3)
    if label == "table":
        for x in range(left, right, max(1, (right - left) // 4)):
            draw.line((x, top, x, bottom), fill="black", width=3)
        draw.rectangle(edges, outline="black", width=3)


def _noise(rng: random.Random, width: int, height: int) -> np.ndarray:
    pixels = np.random.default_rng(rng.randrange(2**32)).integers(
        90, 256, (height // 8 + 1, width // 8 + 1, 3)
    )
    return pixels.astype(np.uint8).repeat(8, axis=0).repeat(8, axis=1)[:height, :width]


def _print_cells(draw: ImageDraw.ImageDraw, boxes: Sequence[Box], size: tuple[int, int]) -> None:
    across, down = size[0] * CELL / MODEL_SIDE, size[1] * CELL / MODEL_SIDE
    for order, box in enumerate(boxes):
        row, column = divmod(order, BOXES_A_ROW)
        values = (LABELS.index(box.label), box.score, box.left, box.top, box.right, box.bottom)
        for number, value in enumerate(values):
            x, y = (column * CELLS_A_BOX + number) * across, row * down
            draw.rectangle((round(x), round(y), round(x + across), round(y + down)), fill=(4 * value,) * 3)
