"""The orientation of a page, detected by Tesseract from the shapes of its letters (OSD)."""

from ocr_service.engines.tesseract.instances import Instances
from ocr_service.engines.tesseract.pictures import Picture

# Tesseract's own limit for a certain answer is 15. Below this, the answer is no better than a guess.
_SURE = 2.0
_ALL_TURNS = (180, 90, 270)


def possible_turns(instances: Instances, picture: Picture) -> tuple[int, ...]:
    """Return the degrees counterclockwise that may make the picture upright; none if it is upright.

    All three turns are possible if the language data `osd` is missing, or if the page has too few letters.
    """
    if not instances.has_osd:
        return _ALL_TURNS
    tesseract = instances.orientation()
    width, height = picture.size
    try:
        tesseract.SetImageBytes(picture.pixels, width, height, 1, width)
        tesseract.SetSourceResolution(picture.resolution or 0)
        found = tesseract.DetectOrientationScript()
    except RuntimeError:
        found = None
    finally:
        tesseract.Clear()
    if found is None or found["orient_conf"] < _SURE:
        return _ALL_TURNS
    return (found["orient_deg"],) if found["orient_deg"] else ()
