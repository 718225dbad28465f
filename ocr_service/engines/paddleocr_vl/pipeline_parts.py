"""Our parts of the official pipeline, in place of its own.

They replace `layout_det_model`, which is called with pages, `vl_rec_model`, which is called with blocks, and
`doc_preprocessor_pipeline`, whose models run on the same thread as the layout model.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ocr_service.engines.paddleocr_vl.model_thread import ModelThread
from ocr_service.engines.paddleocr_vl.page_calls import Answer, current

# Default of the stock client.
_DEFAULT_MAX_TOKENS = 8192


class Inference:
    """A model that runs on the model thread, called from the threads of the pages."""

    batched = False
    """Whether calls of several pages run as one batch."""

    def __init__(self, model: Callable[..., Any], thread: ModelThread) -> None:
        self._model = model
        self._thread = thread

    def __call__(self, images: Sequence[Any], **options: Any) -> list[Any]:
        """Wait for the results; raises CancelledError if the page is cancelled."""
        calls = current.get()
        calls.check()
        results = calls.wait_for(self._thread.infer(self._model, images, options, self.batched))
        calls.check()
        return results


class LayoutDetection(Inference):
    """The layout model, which processes several pages at a time."""

    batched = True

    def __call__(self, images: Sequence[Any], **options: Any) -> list[Any]:
        """Wait for the boxes; raises CancelledError if the page is cancelled."""
        results = super().__call__(images, **options)
        for result in results:
            # This copy of the page would be copied again each time the pipeline copies the boxes.
            result["input_img"] = None
        return results


class VlmPredictor:
    """Replaces the stock `DocVLMGenAIClientPredictor`; an answer is awaited when the pipeline reads it."""

    def predict(
        self,
        data: Sequence[Mapping[str, Any]],
        *,
        skip_special_tokens: bool | None = None,
        use_cache: bool | None = None,
        min_pixels: int | None = None,
        max_pixels: int | None = None,
        max_new_tokens: int | None = None,
        repetition_penalty: float | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
    ) -> Iterator[Answer]:
        """Send the blocks and yield their answers.

        data: for each block, the "image" (height x width x 3, BGR) and the "query", which is the prompt.
        use_cache: ignored, as it applies to models in this process.
        """
        parameters: dict[str, Any] = {
            "temperature": temperature or 0,
            "top_p": top_p,
            "max_completion_tokens": max_new_tokens or _DEFAULT_MAX_TOKENS,
            "skip_special_tokens": skip_special_tokens,
            "repetition_penalty": repetition_penalty,
            "mm_processor_kwargs": _without_none(min_pixels=min_pixels, max_pixels=max_pixels) or None,
        }
        calls = current.get()
        for block in data:
            yield calls.send(block["image"], block["query"], _without_none(**parameters))

    def close(self) -> None:
        """Do nothing: there is nothing to release."""


def install(pipeline: Any, thread: ModelThread) -> None:
    """Put our parts into a `_PaddleOCRVLPipeline`; raises AttributeError if it has no such attributes."""
    pipeline.layout_det_model = LayoutDetection(pipeline.layout_det_model, thread)
    if pipeline.use_doc_preprocessor:
        pipeline.doc_preprocessor_pipeline = Inference(pipeline.doc_preprocessor_pipeline, thread)
    # The stock client has sent nothing yet, so there is nothing to close.
    assert pipeline.vl_rec_model.genai_client
    pipeline.vl_rec_model = VlmPredictor()


def _without_none(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
