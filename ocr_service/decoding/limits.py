"""How large a page may be once decoded."""

from dataclasses import dataclass

from ocr_service.core.errors import TooManyPixels


@dataclass(frozen=True, slots=True)
class Limits:
    """max_page_pixels: most pixels of one page, width times height. max_page_side: most along one side."""

    max_page_pixels: int
    max_page_side: int

    def refuse_too_many_pixels(self, width: int, height: int) -> None:
        """Raise TooManyPixels for an image of these sides; called before its pixels are decoded."""
        if width * height > self.max_page_pixels:
            raise TooManyPixels(
                f"The image has {width} x {height} pixels; "
                f"at most {self.max_page_pixels // 1_000_000} megapixels are accepted."
            )
        if max(width, height) > self.max_page_side:
            raise TooManyPixels(
                f"The image has {width} x {height} pixels; "
                f"the engine reads at most {self.max_page_side} a side."
            )
