"""Settings of the PaddleOCR-VL engine."""

from dataclasses import dataclass, field

from ocr_service.engines.paddleocr_vl.presence import DEFAULT_VLM_URL


@dataclass(frozen=True, slots=True)
class PaddleOcrVlSettings:
    """How the engine is built.

    pipeline_version: "v1", "v1.5" or "v1.6". layout_engine: "paddle" or "onnxruntime". device: where the
    models beside the VLM run, such as "gpu:0", or None for paddlex's choice. use_doc_…: load these models
    too. vlm_url: vLLM's OpenAI-compatible API. vlm_not_started: why no vLLM is started here, or None.
    vlm_timeout: seconds a call. vlm_max_concurrency: calls in flight. image_format, jpeg_quality: of the
    blocks' pictures on their way to vLLM.
    """

    pipeline_version: str = "v1.6"
    layout_engine: str = "paddle"
    device: str | None = None
    use_doc_orientation_classify: bool = False
    use_doc_unwarping: bool = False
    vlm_url: str = field(default=DEFAULT_VLM_URL, repr=False)
    vlm_api_key: str | None = field(default=None, repr=False)
    vlm_not_started: str | None = None
    vlm_timeout: float = 180
    vlm_max_concurrency: int = 256
    image_format: str = "jpeg"
    jpeg_quality: int = 95

    @property
    def shape_results(self) -> dict[str, object]:
        """Those that a page's text depends on."""
        return {
            "pipeline": self.pipeline_version,
            "layout_engine": self.layout_engine,
            "use_doc_orientation_classify": self.use_doc_orientation_classify,
            "use_doc_unwarping": self.use_doc_unwarping,
            "image_format": self.image_format,
            "jpeg_quality": self.jpeg_quality,
        }
