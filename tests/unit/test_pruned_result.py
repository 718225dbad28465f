"""`prunedResult` has the results of the engine, without the paths of files."""

from ocr_service.api.answers.pruned_result import pruned_result
from ocr_service.core.documents import PageResult


def test_paths_are_removed_from_all_objects_and_other_lists_are_not_copied() -> None:
    points = [[1, 2], [3, 4]]
    raw = {
        "input_path": "/page.png",
        "layout_det_res": {"page_index": 0, "boxes": [{"input_path": None, "score": 0.5}, 7]},
        "points": points,
    }
    page = PageResult(1, 10, 10, markdown="", text="", blocks=(), raw=raw)
    pruned = pruned_result(page)
    assert pruned == {"layout_det_res": {"boxes": [{"score": 0.5}, 7]}, "points": points}
    assert pruned["points"] is points
    assert raw["input_path"] == "/page.png"
