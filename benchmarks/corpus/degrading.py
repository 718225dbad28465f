"""Clean pages → pictures as scanners, fax machines and telephones make them.

Each function takes the page, drawn at a resolution that it chooses, and a random generator, and
returns a file.
"""

import io
from collections.abc import Callable, Mapping
from functools import partial

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]
# A function from pixels per inch to the page in grey.
Draw = Callable[[int], Pixels]
Degrade = Callable[[Draw, np.random.Generator], bytes]

_DPI = 300
_WHITE = 255


def _png(pixels: Pixels, dpi: int | None = _DPI) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", **({"dpi": (dpi, dpi)} if dpi else {}))
    return file.getvalue()


def _jpeg(pixels: Pixels, quality: int, dpi: int | None) -> bytes:
    file = io.BytesIO()
    options = {"dpi": (dpi, dpi)} if dpi else {}
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, **options)
    return file.getvalue()


def flat(draw: Draw, _: np.random.Generator) -> bytes:
    """Scan the page flat, upright and clean."""
    return _png(draw(_DPI))


def turned(degrees: int, draw: Draw, _: np.random.Generator) -> bytes:
    """Turn the page counterclockwise by a multiple of 90 degrees."""
    return _png(np.ascontiguousarray(np.rot90(draw(_DPI), degrees // 90)))


def skewed(degrees: float, draw: Draw, random: np.random.Generator) -> bytes:
    """Turn the page by a few degrees, to either side; the picture grows, so that nothing is cut off."""
    page = draw(_DPI)
    angle = degrees * random.choice([-1, 1])
    height, width = page.shape
    matrix = np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1), np.float64)
    cos, sin = abs(matrix[0, 0]), abs(matrix[0, 1])
    wider, higher = int(width * cos + height * sin), int(height * cos + width * sin)
    matrix[:, 2] += (wider - width) / 2, (higher - height) / 2
    return _png(_warped(page, matrix, (wider, higher)))


def _warped(page: Pixels, matrix: npt.NDArray[np.float64], size: tuple[int, int]) -> Pixels:
    border = [_WHITE] * 3
    return np.asarray(cv2.warpAffine(page, matrix, size, flags=cv2.INTER_CUBIC, borderValue=border), np.uint8)


def low_resolution(draw: Draw, _: np.random.Generator) -> bytes:
    """Scan at 100 dpi."""
    return _png(draw(100), 100)


def compressed(draw: Draw, _: np.random.Generator) -> bytes:
    """Compress a scan of 200 dpi as a JPEG of low quality."""
    return _jpeg(draw(200), 15, 200)


def noisy(draw: Draw, random: np.random.Generator) -> bytes:
    """Add the grain and the dust of a worn scanner."""
    clean = draw(_DPI).astype(np.float32)
    pixels = 235 - (_WHITE - clean) * 0.8 + random.normal(0, 18, clean.shape)
    pixels[random.random(pixels.shape) < 0.001] = 60
    return _png(_clipped(pixels))


def fax(draw: Draw, random: np.random.Generator) -> bytes:
    """Make a fax: 200 dpi, one bit, with specks."""
    bits = draw(200) > 150
    bits ^= random.random(bits.shape) < 0.003
    file = io.BytesIO()
    Image.fromarray(bits).save(file, "TIFF", compression="group4", dpi=(200, 200))
    return file.getvalue()


def photo(draw: Draw, random: np.random.Generator) -> bytes:
    """Photograph the page on a dark table: perspective, uneven light, blur, grain; without a resolution."""
    page = draw(280)
    height, width = page.shape
    wider, higher = int(1.25 * width), int(1.2 * height)
    table = random.normal(50, 9, (higher, wider, 3)) * np.array([1.15, 0.9, 0.75])
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    shift = random.uniform(-0.045, 0.045, (4, 2)) * (width, height)
    margin = np.array([(wider - width) / 2, (higher - height) / 2])
    matrix = cv2.getPerspectiveTransform(corners, (corners + margin + shift).astype(np.float32))
    seen = cv2.warpPerspective(page, matrix, (wider, higher), flags=cv2.INTER_AREA).astype(np.float32)
    covered = cv2.warpPerspective(np.ones_like(page), matrix, (wider, higher), flags=cv2.INTER_NEAREST)
    paper = (25 + seen * 0.85)[..., None] * np.array([1.0, 0.97, 0.9])
    picture = np.where(covered[..., None] > 0, paper, table) * _light(higher, wider, random)[..., None]
    blurred = cv2.GaussianBlur(picture, (0, 0), 1.0) + random.normal(0, 4, picture.shape)
    return _jpeg(_clipped(blurred), 88, None)


def _light(height: int, width: int, random: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return the light of a lamp at one side, 0.45 to 1."""
    y, x = np.mgrid[0:height, 0:width]
    angle = random.uniform(0, 2 * np.pi)
    slope = (x / width - 0.5) * np.cos(angle) + (y / height - 0.5) * np.sin(angle)
    return np.asarray(np.clip(0.75 + 0.45 * slope, 0.45, 1.0))


def coloured(draw: Draw, random: np.random.Generator) -> bytes:
    """Print the page on tinted paper, with two bands behind lines; in one of them, letters are white."""
    page = draw(_DPI).astype(np.float32)[..., None] / _WHITE
    ink = np.array([30, 30, 60])
    paper = np.array(random.choice([(250, 240, 200), (215, 235, 250), (225, 245, 220)]))
    picture = ink + (paper - ink) * page
    first, second = random.uniform(0.08, 0.15), random.uniform(0.3, 0.4)
    bands = ((first, (25, 60, 110), (255, 255, 255)), (second, (120, 165, 130), (20, 20, 20)))
    for top, ground, letters in bands:
        part = slice(_between_lines(page, top), _between_lines(page, top + 0.125))
        picture[part] = np.array(letters) + (np.array(ground) - letters) * page[part]
    return _png(_clipped(picture))


def _between_lines(page: npt.NDArray[np.floating], place: float) -> int:
    """Return the empty row of pixels that is nearest to a place, 0 to 1."""
    empty = np.flatnonzero(page.min(axis=(1, 2)) > 0.99)
    return int(empty[np.abs(empty - place * page.shape[0]).argmin()])


def faded(draw: Draw, random: np.random.Generator) -> bytes:
    """Fade the ink: light grey on grey paper."""
    page = draw(_DPI).astype(np.float32)
    ink = random.uniform(165, 180)
    pixels = ink + (225 - ink) * page / _WHITE + random.normal(0, 5, page.shape)
    return _png(_clipped(pixels))


def shadowed(draw: Draw, random: np.random.Generator) -> bytes:
    """Lay the shadow of a book's fold over one side."""
    page = draw(_DPI).astype(np.float32)
    across = np.linspace(0, 1, page.shape[1])
    if random.random() < 0.5:
        across = across[::-1]
    shadow = 1 - 0.75 * np.exp(-((across / 0.3) ** 2))
    return _png(_clipped(page * shadow + random.normal(0, 3, page.shape)))


def without_resolution(draw: Draw, random: np.random.Generator) -> bytes:
    """Save a scan without its resolution, or with the 72 dpi that programs write when they know none."""
    return _png(draw(int(random.choice([150, 200, 300]))), 72 if random.random() < 0.5 else None)


def _clipped(pixels: npt.NDArray[np.floating]) -> Pixels:
    return np.clip(pixels, 0, _WHITE).astype(np.uint8)


DEGRADATIONS: Mapping[str, tuple[str, Degrade]] = {
    "turned by 90°": ("png", partial(turned, 90)),
    "turned by 180°": ("png", partial(turned, 180)),
    "turned by 270°": ("png", partial(turned, 270)),
    "skewed by 3°": ("png", partial(skewed, 3)),
    "skewed by 7°": ("png", partial(skewed, 7)),
    "100 dpi": ("png", low_resolution),
    "JPEG of low quality": ("jpg", compressed),
    "noise": ("png", noisy),
    "fax": ("tif", fax),
    "photo": ("jpg", photo),
    "coloured": ("png", coloured),
    "faded": ("png", faded),
    "shadow": ("png", shadowed),
    "no resolution": ("png", without_resolution),
}
"""Kind of a page: the suffix of its file, and the function that makes it."""
