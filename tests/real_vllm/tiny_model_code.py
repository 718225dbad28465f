"""The classes that vLLM loads with the tiny model: its configuration and its processor.

They are written from the interface that vLLM needs, so that the real model class of vLLM can run without the
files of the published model. `make_model.py` copies this file into the folder of the model.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import BaseImageProcessor, BatchFeature, PretrainedConfig, ProcessorMixin

_MERGE = 2
_PATCH = 14
_MAX_RATIO = 200
IMAGE_TOKEN = "<|IMAGE_PLACEHOLDER|>"


class TinyVisionConfig(PretrainedConfig):
    model_type = "paddleocr_vl_vision"
    base_config_key = "vision_config"

    def __init__(self, **values: Any) -> None:
        self.hidden_size = 32
        self.intermediate_size = 64
        self.num_hidden_layers = 1
        self.num_attention_heads = 2
        self.num_channels = 3
        self.image_size = 384
        self.patch_size = _PATCH
        self.spatial_merge_size = _MERGE
        self.hidden_act = "gelu_pytorch_tanh"
        self.layer_norm_eps = 1e-6
        super().__init__(**values)


class TinyConfig(PretrainedConfig):
    model_type = "paddleocr_vl"
    sub_configs = {"vision_config": TinyVisionConfig}  # noqa: RUF012 - as in the base class

    def __init__(self, vision_config: dict[str, Any] | None = None, **values: Any) -> None:
        self.vision_config = TinyVisionConfig(**(vision_config or {}))
        super().__init__(**values)


class TinyImageProcessor(BaseImageProcessor):
    """Scales an image between two numbers of pixels, and cuts it into patches."""

    model_input_names = ["pixel_values", "image_grid_thw"]  # noqa: RUF012 - as in the base class

    def __init__(self, min_pixels: int = 112_896, max_pixels: int = 1_003_520, **values: Any) -> None:
        super().__init__(**values)
        self.min_pixels = min_pixels
        self.max_pixels = max_pixels
        self.size = {"min_pixels": min_pixels, "max_pixels": max_pixels}
        self.patch_size = _PATCH
        self.merge_size = _MERGE

    def preprocess(
        self,
        images: Sequence[Image.Image],
        min_pixels: int | None = None,
        max_pixels: int | None = None,
        **_: Any,
    ) -> BatchFeature:
        """Return the patches of all images, and for each image its rows and columns of patches."""
        patches, grids = [], []
        for image in images:
            width, height = self._scaled(image.size, min_pixels, max_pixels)
            pixels = np.asarray(image.convert("RGB").resize((width, height)), dtype=np.float32) / 127.5 - 1
            rows, columns = height // _PATCH, width // _PATCH
            cut = pixels.reshape(rows // _MERGE, _MERGE, _PATCH, columns // _MERGE, _MERGE, _PATCH, 3)
            patches.append(cut.transpose(0, 3, 1, 4, 6, 2, 5).reshape(-1, 3, _PATCH, _PATCH))
            grids.append((1, rows, columns))
        return BatchFeature(
            {
                "pixel_values": torch.from_numpy(np.concatenate(patches)),
                "image_grid_thw": torch.tensor(grids),
            }
        )

    def _scaled(self, size: tuple[int, int], least: int | None, most: int | None) -> tuple[int, int]:
        """Return a size in whole merged patches, by the same rule as vLLM, which counts them again."""
        unit = _PATCH * _MERGE
        least, most = least or self.min_pixels, most or self.max_pixels
        enlarged = max(1.0, unit / min(size))
        width, height = (side if enlarged == 1 else max(unit, round(side * enlarged)) for side in size)
        if max(width, height) > _MAX_RATIO * min(width, height):
            raise ValueError(f"a side is more than {_MAX_RATIO} times the other")
        pixels = round(width / unit) * round(height / unit) * unit**2
        if pixels > most:
            scale = math.sqrt(width * height / most)
            return math.floor(width / scale / unit) * unit, math.floor(height / scale / unit) * unit
        if pixels < least:
            scale = math.sqrt(least / (width * height))
            return math.ceil(width * scale / unit) * unit, math.ceil(height * scale / unit) * unit
        return round(width / unit) * unit, round(height / unit) * unit


class TinyProcessor(ProcessorMixin):
    """Puts as many image tokens into the prompt as an image has merged patches."""

    attributes = ["image_processor", "tokenizer"]  # noqa: RUF012 - as in the base class
    image_processor_class = "AutoImageProcessor"
    tokenizer_class = "AutoTokenizer"

    def __init__(self, image_processor: Any = None, tokenizer: Any = None, **values: Any) -> None:
        self.image_token = IMAGE_TOKEN
        super().__init__(image_processor, tokenizer, **values)

    def __call__(
        self,
        images: Any = None,
        text: Any = None,
        min_pixels: int | None = None,
        max_pixels: int | None = None,
        **values: Any,
    ) -> BatchFeature:
        prompts = [text] if isinstance(text, str) else list(text)
        images = [images] if isinstance(images, Image.Image) else list(images or ())
        seen: dict[str, Any] = {}
        if images:
            seen = dict(self.image_processor.preprocess(images, min_pixels, max_pixels))
            numbers = iter((seen["image_grid_thw"].prod(-1) // _MERGE**2).tolist())
            prompts = [self._expanded(prompt, numbers) for prompt in prompts]
        tokens = self.tokenizer(prompts, return_tensors="pt", add_special_tokens=False)
        return BatchFeature({**tokens, **seen})

    def _expanded(self, prompt: str, numbers: Any) -> str:
        first, *rest = prompt.split(IMAGE_TOKEN)
        return first + "".join(IMAGE_TOKEN * next(numbers) + part for part in rest)
