from ocr_service.core.documents import PageQuality
from ocr_service.pipeline.recent_pages import WINDOW_SECONDS, RecentPages


def page(index: int) -> PageQuality:
    return PageQuality(index, characters=1, confidence=None, warnings=(), failed=False)


def test_old_pages_are_forgotten() -> None:
    now = 0.0
    recent = RecentPages(clock=lambda: now)
    recent.add(page(1))
    now = WINDOW_SECONDS / 2
    recent.add(page(2))
    now = WINDOW_SECONDS
    assert [each.index for each in recent.pages] == [1, 2]
    now += 1
    assert [each.index for each in recent.pages] == [2]


def test_number_of_remembered_pages_is_limited() -> None:
    recent = RecentPages()
    for index in range(2000):
        recent.add(page(index))
    assert [each.index for each in recent.pages] == list(range(1000, 2000))
