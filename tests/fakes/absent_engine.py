"""An engine that fails to start, like PaddleOCR-VL when it is not installed."""

from ocr_service.core.engine import EngineState
from ocr_service.core.errors import EngineUnavailable
from tests.fakes.scripted_engine import ScriptedEngine


class AbsentEngine(ScriptedEngine):
    def __init__(self) -> None:
        super().__init__()
        self.state = EngineState.UNAVAILABLE

    async def start(self) -> None:
        raise EngineUnavailable("The engine is not installed.", retry_after=7)
