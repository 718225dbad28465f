"""What is put into the official pipeline in place of its own parts.

Its two seams are `layout_det_model`, called with pages, and `vl_rec_model`, asked for blocks; beside them
stands `doc_preprocessor_pipeline`, whose models share the layout model's thread.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ocr_service.engines.paddleocr_vl.model_thread import ModelThread
from ocr_service.engines.paddleocr_vl.page_calls import Answer, current

# What the stock client sends where a caller names no limit.
_MOST_TOKENS = 8192


class Inference:
    """A model that runs on the model thread, for callers in threads of their own."""

    alone = True
    """Whether each call goes by itself, never together with another page's."""

    def __init__(self, model: Callable[..., Any], thread: ModelThread) -> None:
        self._model = model
        self._thread = thread

    def __call__(self, images: Sequence[Any], **options: Any) -> list[Any]:
        """Wait for the results; raises CancelledError where the page has been given up."""
        calls = current.get()
        calls.check()
        results = calls.wait_for(self._thread.infer(self._model, images, options, self.alone))
        calls.check()
        return results


class LayoutDetection(Inference):
    """The layout model, which takes several pages at a time."""

    alone = False

    def __call__(self, images: Sequence[Any], **options: Any) -> list[Any]:
        """Wait for the boxes."""
        results = super().__call__(images, **options)
        for result in results:
            # A copy of the page, which the pipeline would copy again and again with the boxes.
            result["input_img"] = None
        return results


class LeanVlm:
    """Stands where the stock `DocVLMGenAIClientPredictor` does; each answer is waited for when it is read."""

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
        """Send the blocks and give their answers; use_cache is for models that run in this process.

        data: a block each, "image" of height x width x 3, blue first, and "query", the prompt.
        """
        parameters: dict[str, Any] = {
            "temperature": temperature or 0,
            "top_p": top_p,
            "max_completion_tokens": max_new_tokens or _MOST_TOKENS,
            "skip_special_tokens": skip_special_tokens,
            "repetition_penalty": repetition_penalty,
            "mm_processor_kwargs": _named(min_pixels=min_pixels, max_pixels=max_pixels) or None,
        }
        calls = current.get()
        for block in data:
            yield calls.ask(block["image"], block["query"], _named(**parameters))

    def close(self) -> None:
        """Nothing of its own to let go of."""


def install(pipeline: Any, thread: ModelThread) -> None:
    """Put our parts into a `_PaddleOCRVLPipeline`; raises AttributeError where it has no such seams."""
    pipeline.layout_det_model = LayoutDetection(pipeline.layout_det_model, thread)
    if pipeline.use_doc_preprocessor:
        pipeline.doc_preprocessor_pipeline = Inference(pipeline.doc_preprocessor_pipeline, thread)
    # The stock client has sent nothing yet, so there is nothing to close.
    assert pipeline.vl_rec_model.genai_client
    pipeline.vl_rec_model = LeanVlm()


def _named(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
