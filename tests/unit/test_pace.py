"""Steps that are spread over time."""

from ocr_service.runtime.pace import Pace


def test_steps_follow_each_other_at_the_pace() -> None:
    times = iter([100.0, 100.0, 101.0, 110.0])
    pace = Pace(2, lambda: next(times))
    assert [pace.pause() for _ in range(4)] == [2, 4, 5, 2]
