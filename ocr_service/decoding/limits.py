"""Limits on the size of a decoded page."""

from dataclasses import dataclass

from ocr_service.core.errors import TooManyPixels


@dataclass(frozen=True, slots=True)
class Limits:
    """Maximum size of one page.

    max_page_pixels: width times height. max_page_side: width or height.
    """

    max_page_pixels: int
    max_page_side: int

    def check_size(self, width: int, height: int) -> None:
        """Raise TooManyPixels if an image is too large; called before its pixels are decoded."""
        self.check_pixels(width, height)
        if max(width, height) > self.max_page_side:
            raise TooManyPixels(
                f"The image has {width} x {height} pixels; "
                f"the engine reads at most {self.max_page_side} a side."
            )

    def check_pixels(self, width: int, height: int) -> None:
        """Raise TooManyPixels if an image on a page is too large; the engine reads only the page."""
        if width * height > self.max_page_pixels:
            raise TooManyPixels(
                f"The image has {width} x {height} pixels; "
                f"at most {self.max_page_pixels // 1_000_000} megapixels are accepted."
            )
