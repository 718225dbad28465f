import pytest

from ocr_service.core.errors import PagesOutOfRange, RequestError
from ocr_service.pipeline.page_selection import select_pages


@pytest.mark.parametrize(
    ("wanted", "selected"),
    [
        (None, [1, 2, 3, 4, 5, 6, 7, 8]),
        ("1-3,7", [1, 2, 3, 7]),
        ("7, 1 ,2-3", [1, 2, 3, 7]),
        ("5-", [5, 6, 7, 8]),
        ("2,2,1-3", [1, 2, 3]),
        ("8", [8]),
    ],
)
def test_page_list_is_parsed(wanted: str | None, selected: list[int]) -> None:
    assert list(select_pages(wanted, 8)) == selected


@pytest.mark.parametrize("wanted", ["", "a", "1,", "-3", "1-2-3", "1..3", "１", "1.5", "+1", "1000000000"])
def test_invalid_page_list_is_refused(wanted: str) -> None:
    with pytest.raises(RequestError) as caught:
        select_pages(wanted, 8)
    assert type(caught.value) is RequestError


@pytest.mark.parametrize("wanted", ["0", "9", "7-9", "1-999999999", "9-"])
def test_pages_out_of_range_are_refused(wanted: str) -> None:
    with pytest.raises(PagesOutOfRange, match=f"8 pages, counted from 1; {wanted} is not"):
        select_pages(f"1, {wanted}", 8)


def test_range_that_runs_backwards_is_named() -> None:
    with pytest.raises(PagesOutOfRange, match="the range 3-2 runs backwards"):
        select_pages("1,3-2,9", 8)
