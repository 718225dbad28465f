"""Grey pictures for Tesseract, each with its way back to the page as decoded."""

import math
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ocr_service.core.documents import Box, Page
from ocr_service.layout.pixels.ruling_lines import ink_of, scale_of
from ocr_service.layout.pixels.shrinking import shrunk

# A rotated or flattened picture has at most so many times the pixels of its page. A long strip could have
# hundreds of times as many.
_LARGEST_GROWTH = 2
# Coordinates of Tesseract and OpenCV have 16 bits.
_LONGEST_SIDE = 32_767

Grey = NDArray[np.uint8]
Matrix = NDArray[np.float64]
Points = NDArray[np.float64]
Size = tuple[int, int]


class Correction(Enum):
    """A change of the pixels that makes a page readable, in words that follow "the page was"."""

    CUT = "cut to the sheet of paper on it"
    STRAIGHTENED = "straightened"
    LIGHTENED = "lightened where it is dark"
    SMOOTHED = "smoothed"
    FREED = "freed of lines that touch its letters"


@dataclass(frozen=True, eq=False)
class Picture:
    """A page as Tesseract gets it.

    pixels: a byte for each, in rows from the top. size: width and height.
    resolution: pixels per inch; None if it is unknown.
    page_size: width and height of the page as decoded.
    to_page: 3 x 3 matrix from points of the picture to points of the page as decoded.
    turn: degrees counterclockwise by which the page is turned in the picture: 0, 90, 180 or 270.
    corrections: in the order in which they were made.
    """

    pixels: bytes
    size: Size
    resolution: int | None
    page_size: Size
    to_page: Matrix
    turn: int = 0
    corrections: tuple[Correction, ...] = ()

    @classmethod
    def of(cls, page: Page) -> "Picture":
        """Return a page as decoded."""
        return cls.of_pixels(page.image.tobytes(), page.image.size, page.resolution)

    @classmethod
    def of_pixels(cls, pixels: bytes, size: Size, resolution: int | None) -> "Picture":
        """Return a page as decoded, without a copy of its pixels."""
        return cls(pixels, size, resolution, size, np.eye(3))

    @property
    def grey(self) -> Grey:
        """The pixels, by row and column; read-only."""
        width, height = self.size
        return np.frombuffer(self.pixels, np.uint8).reshape(height, width)

    @property
    def image(self) -> Image.Image:
        """The picture, on the same pixels."""
        return Image.frombuffer("L", self.size, self.pixels, "raw", "L", 0, 1)

    @property
    def upright_size(self) -> Size:
        """Width and height of the page after its turn."""
        return _turned_size(self.page_size, self.turn)

    @property
    def from_page(self) -> Matrix:
        """3 x 3 matrix from points of the page as decoded to points of the picture."""
        return np.asarray(np.linalg.inv(self.to_page), np.float64)

    def with_grey(self, grey: Grey, correction: Correction) -> "Picture":
        """Return a picture of the same shape with other pixels."""
        return replace(self, pixels=grey.tobytes(), corrections=(*self.corrections, correction))

    def at_resolution(self, resolution: int | None) -> "Picture":
        """Return the picture with another resolution, in pixels per inch."""
        return self if resolution == self.resolution else replace(self, resolution=resolution)

    def turned(self, degrees: int) -> "Picture":
        """Turn the picture counterclockwise by 0, 90, 180 or 270 degrees."""
        if not degrees:
            return self
        back = np.linalg.inv(_turn(degrees, self.size))
        return replace(
            self,
            pixels=np.rot90(self.grey, degrees // 90).tobytes(),
            size=_turned_size(self.size, degrees),
            to_page=self.to_page @ back,
            turn=(self.turn + degrees) % 360,
        )

    def rotated(self, degrees: float) -> "Picture | None":
        """Rotate the picture counterclockwise by a small angle, so that its corners stay in it.

        None if this takes too many pixels.
        """
        width, height = self.size
        affine = np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1), np.float64)
        cosine, sine = abs(affine[0, 0]), abs(affine[0, 1])
        new = round(width * cosine + height * sine), round(width * sine + height * cosine)
        affine[:, 2] += (new[0] - width) / 2, (new[1] - height) / 2
        return self.warped(np.vstack([affine, (0, 0, 1)]), new, Correction.STRAIGHTENED)

    def warped(self, matrix: Matrix, size: Size, correction: Correction) -> "Picture | None":
        """Return the picture in another perspective; None if this takes too many pixels.

        matrix: from its points to those of the new one.
        """
        if math.prod(size) > _LARGEST_GROWTH * math.prod(self.page_size) or max(size) > _LONGEST_SIDE:
            return None
        grey = cv2.warpPerspective(
            self.grey, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        return replace(
            self,
            pixels=grey.tobytes(),
            size=size,
            to_page=self.to_page @ np.linalg.inv(matrix),
            corrections=(*self.corrections, correction),
        )

    def reduced(self, longest_side: int) -> tuple[Grey, int]:
        """Return a smaller copy of at most `longest_side`, for a look at the whole; and the factor."""
        factor = self._factor(longest_side)
        return self._half if factor == 2 else _shrunk(self.grey, factor), factor

    def glance(self, longest_side: int) -> Grey:
        """Return the same copy, up to 1 level of grey, in a fraction of the time."""
        factor = self._factor(longest_side)
        return self.reduced(longest_side)[0] if factor % 2 else _shrunk(self._half, factor // 2)

    @cached_property
    def ink(self) -> Grey:
        """The copy in which lines are searched: 255 where it is darker than its neighbourhood; read-only."""
        return np.asarray(ink_of(self.grey, scale_of(self.grey)), np.uint8)

    @cached_property
    def _half(self) -> Grey:
        return _shrunk(self.grey, 2)

    def _factor(self, longest_side: int) -> int:
        return max(1, -(-max(self.size) // longest_side))

    def on_page(self, box: Box) -> Box:
        """Return the box of the upright page that contains a box of the picture."""
        left, top, right, bottom = box
        to_upright = _turn(self.turn, self.page_size) @ self.to_page
        corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float64)
        points = transformed(corners, to_upright)
        width, height = self.upright_size
        x, y = points[:, 0].clip(0, width).round(), points[:, 1].clip(0, height).round()
        return int(x.min()), int(y.min()), int(x.max()), int(y.max())


def _shrunk(grey: Grey, factor: int) -> Grey:
    return np.asarray(shrunk(grey, factor), np.uint8)


def transformed(points: Points, matrix: Matrix) -> Points:
    """Return points, one in a row, after a 3 x 3 transformation."""
    if not len(points):
        return points
    return np.asarray(cv2.perspectiveTransform(points[np.newaxis], matrix)[0], np.float64)


def _turned_size(size: Size, degrees: int) -> Size:
    return size if degrees % 180 == 0 else size[::-1]


def _turn(degrees: int, size: Size) -> Matrix:
    """Return the matrix from points of a picture of this size to points of the turned one."""
    width, height = size
    rows = {
        0: [[1, 0, 0], [0, 1, 0]],
        90: [[0, 1, 0], [-1, 0, width]],
        180: [[-1, 0, width], [0, -1, height]],
        270: [[0, -1, height], [1, 0, 0]],
    }[degrees]
    return np.array([*rows, [0, 0, 1]], np.float64)
