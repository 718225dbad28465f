"""Settings of the PaddleOCR-VL engine: the pipeline, and the client of its vLLM server."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from ocr_service.core.settings import SettingsGroup, env_prefix, http_urls, spelled, split_urls
from ocr_service.engines.paddleocr_vl.presence import DEFAULT_VLM_URL

ImageFormat = Literal["jpeg", "png"]
LayoutEngine = Literal["paddle", "onnxruntime"]
PipelineVersion = Literal["v1", "v1.5", "v1.6"]


def _header_value(key: SecretStr | None) -> SecretStr | None:
    if key is not None and not re.fullmatch(r"[!-~]+", key.get_secret_value()):
        raise ValueError("a key must consist of visible ASCII characters, without spaces")
    return key


class PaddleOcrVlSettings(SettingsGroup):
    """Release and models of the pipeline."""

    model_config = env_prefix("OCR_")

    pipeline_version: PipelineVersion = Field(
        "v1.6", description="Release of the PaddleOCR-VL pipeline: `v1`, `v1.5` or `v1.6`."
    )
    layout_engine: LayoutEngine = Field(
        "paddle", description="Runtime of the layout model: `paddle` or `onnxruntime`."
    )
    device: Annotated[str, spelled(r"cpu|gpu(:\d+)?", "it must be cpu, gpu or gpu:0")] | None = Field(
        None,
        description="Device of the layout model: `cpu`, `gpu` or `gpu:0`. Empty: the first GPU if there is "
        "one, or else the CPU.",
    )
    use_doc_orientation_classify: bool = Field(
        False,
        description="Load the model that turns pages upright. It is used unless a request turns it off.",
    )
    use_doc_unwarping: bool = Field(
        False,
        description="Load the model that flattens photographed pages. It is used unless a request turns it "
        "off.",
    )

    @property
    def affecting_results(self) -> dict[str, object]:
        """The settings that the text of a page depends on."""
        return {
            "pipeline": self.pipeline_version,
            "layout_engine": self.layout_engine,
            "use_doc_orientation_classify": self.use_doc_orientation_classify,
            "use_doc_unwarping": self.use_doc_unwarping,
        }


class VlmSettings(SettingsGroup):
    """The vLLM server, and how blocks are sent to it."""

    model_config = env_prefix("OCR_VLM_")

    url: Annotated[str | None, AfterValidator(http_urls)] = Field(
        None,
        repr=False,
        description=f"URL of the vLLM API, or of several servers with the same model and key, separated by "
        f"commas. Empty: `{DEFAULT_VLM_URL}`. If it is set, `auto` chooses PaddleOCR-VL, provided that this "
        "is installed.",
    )
    not_started: str | None = Field(
        None,
        description="Why no vLLM server is started in this container. `start.sh` sets it; `/health/vllm` "
        "shows it.",
    )
    api_key: Annotated[SecretStr | None, AfterValidator(_header_value)] = Field(
        None, description="API key of the vLLM server (its `--api-key`)."
    )
    timeout: float = Field(180, gt=0, le=3600, description="Seconds that vLLM may take for one block.")
    hang_timeout: float = Field(
        60,
        gt=0,
        le=3600,
        description="Seconds for which vLLM may have blocks, answer none and generate nothing. After that "
        "these blocks fail, and the service is not ready until vLLM works again.",
    )
    restart_timeout: float | None = Field(
        None,
        gt=0,
        le=100_000,
        description="Seconds of a hang, or without an answer, after which `start.sh` restarts vLLM. "
        "`start.sh` sets it from `VLLM_HANG_TIMEOUT`.",
    )
    supervisor: int | None = Field(
        None,
        gt=0,
        le=2**31 - 1,
        description="Process that restarts vLLM. `start.sh` sets it if it starts vLLM.",
    )
    max_concurrency: int = Field(
        256,
        ge=1,
        le=4096,
        description="Maximum blocks at one vLLM server at the same time. Further blocks wait.",
    )
    image_format: ImageFormat = Field(
        "jpeg",
        description="Format in which blocks are sent to vLLM: `jpeg`, or `png`, which is lossless and takes "
        "six times as much CPU time.",
    )
    jpeg_quality: int = Field(95, ge=1, le=100, description="Quality of these JPEGs.")
    repetition_detection: bool = Field(
        True,
        description="Let vLLM 0.17 or later end a text that repeats itself. Turn it off if the server "
        "refuses the field `repetition_detection`; then such a text ends at the limit of tokens.",
    )
    repetition_retry_penalty: float | None = Field(
        None,
        gt=1,
        le=2,
        description="`repetition_penalty` of a second try for a block whose text repeats itself, such as "
        "`1.1`. Empty: no second try.",
    )

    @property
    def api_urls(self) -> tuple[str, ...]:
        """The URLs of the vLLM API, set or default."""
        return tuple(split_urls(self.url or DEFAULT_VLM_URL))

    @property
    def reason_not_started(self) -> str | None:
        """Why this container starts no vLLM; None if another server is named."""
        return None if self.url else self.not_started

    @property
    def affecting_results(self) -> dict[str, object]:
        """The settings that the text of a page depends on."""
        return {
            "image_format": self.image_format,
            "jpeg_quality": self.jpeg_quality,
            "repetition_retry_penalty": self.repetition_retry_penalty,
        }
