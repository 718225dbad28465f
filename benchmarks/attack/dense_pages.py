"""Pages with much text whose senders leave at once."""

import random
import time
from multiprocessing.synchronize import Event

from PIL import Image, ImageDraw

from benchmarks.attack.callers import Address, Outcomes, connect, head, repeat
from tests.samples import encoded

CALLERS = 8
# Seconds after which a sender leaves: Tesseract has begun.
_PATIENCE = 1.0


def attack(address: Address, stop: Event) -> Outcomes:
    """Send the pages."""
    data = _page()

    def send_and_leave() -> str:
        with connect(address, head("/ocr", len(data)) + data):
            time.sleep(_PATIENCE)
        return "left"

    return repeat(send_and_leave, CALLERS, stop)


def _page() -> bytes:
    image = Image.new("L", (3000, 4000), 255)
    draw = ImageDraw.Draw(image)
    letters = random.Random(1)
    for y in range(0, 4000, 12):
        draw.text((0, y), "".join(letters.choices("abcdefghij klmnopq", k=480)), fill=0)
    return encoded(image, "PNG")
