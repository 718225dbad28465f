"""Writes a PaddleOCR-VL with random weights, 0.4 MB, which vLLM loads like the published one.

Run it with the Python of the environment of vLLM: `python -m tests.real_vllm.make_model FOLDER`. The weights
come from a fixed seed, so the model gives the same text for the same image. `--endless` makes a model that
never ends a text by itself, `--controls` one that writes control characters.
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from tests.real_vllm.tiny_model_code import IMAGE_TOKEN, TinyVisionConfig

_HIDDEN, _INTERMEDIATE, _LAYERS, _HEADS, _KEYS, _HEAD = 64, 128, 2, 2, 1, 32
_VOCABULARY = 384
_SPECIAL = (
    "<unk>",
    "<|begin_of_sentence|>",
    "</s>",
    "<|IMAGE_START|>",
    IMAGE_TOKEN,
    "<|IMAGE_END|>",
    "<|video_pad|>",
)
_LETTERS = sorted(pre_tokenizers.ByteLevel.alphabet())
# The alphabet writes byte n of the control characters as the letter 256 + n.
_CONTROLS = {chr(256 + byte) for byte in range(32) if byte != ord("\n")}
_END = _SPECIAL.index("</s>")
# Larger than 1, so that texts end after ten to several hundred tokens.
_END_WEIGHT = 1.5
_TEMPLATE = """\
{{ '<|begin_of_sentence|>' }}{% for message in messages %}{% if message.content is string %}\
{{ message.content }}{% else %}{% for part in message.content %}{% if part.type == 'image' %}\
{{ '<|IMAGE_START|><|IMAGE_PLACEHOLDER|><|IMAGE_END|>' }}{% else %}{{ part.text }}{% endif %}{% endfor %}\
{% endif %}{{ '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ 'Assistant: ' }}{% endif %}"""


def write_model(folder: Path, endless: bool = False, controls: bool = False) -> None:
    """Write all files of the model."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(__file__).with_name("tiny_model_code.py"), folder)
    _write_tokenizer(folder)
    (folder / "chat_template.jinja").write_text(_TEMPLATE)
    for name, content in _configurations().items():
        (folder / name).write_text(json.dumps(content))
    save_file(
        _weights(0 if endless else _END_WEIGHT, controls), folder / "model.safetensors", {"format": "pt"}
    )


def _write_tokenizer(folder: Path) -> None:
    """Write a tokenizer with one token a byte."""
    vocabulary = {token: number for number, token in enumerate((*_SPECIAL, *_LETTERS))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(_SPECIAL))
    tokenizer.save(str(folder / "tokenizer.json"))


def _configurations() -> dict[str, dict[str, Any]]:
    code = "tiny_model_code"
    processors = {
        "AutoImageProcessor": f"{code}.TinyImageProcessor",
        "AutoProcessor": f"{code}.TinyProcessor",
    }
    return {
        "config.json": {
            "architectures": ["PaddleOCRVLForConditionalGeneration"],
            "model_type": "paddleocr_vl",
            "auto_map": {"AutoConfig": f"{code}.TinyConfig"},
            "hidden_size": _HIDDEN,
            "intermediate_size": _INTERMEDIATE,
            "num_hidden_layers": _LAYERS,
            "num_attention_heads": _HEADS,
            "num_key_value_heads": _KEYS,
            "head_dim": _HEAD,
            "hidden_act": "silu",
            "max_position_embeddings": 131_072,
            "rms_norm_eps": 1e-5,
            "rope_theta": 500_000,
            "rope_scaling": {"mrope_section": [4, 6, 6], "rope_type": "default", "type": "default"},
            "use_bias": False,
            "tie_word_embeddings": False,
            "vocab_size": _VOCABULARY,
            "bos_token_id": _SPECIAL.index("<|begin_of_sentence|>"),
            "eos_token_id": _END,
            "pad_token_id": 0,
            "image_token_id": _SPECIAL.index(IMAGE_TOKEN),
            "video_token_id": _SPECIAL.index("<|video_pad|>"),
            "vision_start_token_id": _SPECIAL.index("<|IMAGE_START|>"),
            "vision_config": {},
            "torch_dtype": "float32",
        },
        "generation_config.json": {"eos_token_id": _END},
        "preprocessor_config.json": {
            "image_processor_type": "TinyImageProcessor",
            "processor_class": "TinyProcessor",
            "auto_map": processors,
        },
        "processor_config.json": {
            "processor_class": "TinyProcessor",
            "auto_map": {"AutoProcessor": processors["AutoProcessor"]},
        },
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": "<|begin_of_sentence|>",
            "eos_token": "</s>",
            "unk_token": "<unk>",
            "pad_token": "<unk>",
        },
    }


def _weights(end_weight: float, controls: bool) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)

    def noise(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator) * 0.3

    weights = _language_weights(noise) | _vision_weights(noise)
    head = weights["lm_head.weight"]
    for number in range(len(_SPECIAL)):
        head[number] *= end_weight if number == _END else 0
    head[len(_SPECIAL) + 256 :] = 0
    for number, letter in enumerate(_LETTERS, start=len(_SPECIAL)):
        head[number] *= controls or letter not in _CONTROLS
    return weights


def _language_weights(noise: Any) -> dict[str, torch.Tensor]:
    weights = {
        "model.embed_tokens.weight": noise(_VOCABULARY, _HIDDEN),
        "model.norm.weight": torch.ones(_HIDDEN),
        "lm_head.weight": noise(_VOCABULARY, _HIDDEN),
    }
    for number in range(_LAYERS):
        layer = f"model.layers.{number}"
        weights |= {
            f"{layer}.self_attn.q_proj.weight": noise(_HEADS * _HEAD, _HIDDEN),
            f"{layer}.self_attn.k_proj.weight": noise(_KEYS * _HEAD, _HIDDEN),
            f"{layer}.self_attn.v_proj.weight": noise(_KEYS * _HEAD, _HIDDEN),
            f"{layer}.self_attn.o_proj.weight": noise(_HIDDEN, _HEADS * _HEAD),
            f"{layer}.mlp.gate_proj.weight": noise(_INTERMEDIATE, _HIDDEN),
            f"{layer}.mlp.up_proj.weight": noise(_INTERMEDIATE, _HIDDEN),
            f"{layer}.mlp.down_proj.weight": noise(_HIDDEN, _INTERMEDIATE),
            f"{layer}.input_layernorm.weight": torch.ones(_HIDDEN),
            f"{layer}.post_attention_layernorm.weight": torch.ones(_HIDDEN),
        }
    return weights


def _vision_weights(noise: Any) -> dict[str, torch.Tensor]:
    vision = TinyVisionConfig()
    width, inner, patch = vision.hidden_size, vision.intermediate_size, vision.patch_size
    merged = width * vision.spatial_merge_size**2
    layer = "visual.vision_model.encoder.layers.0"
    linear = {
        **{
            f"{layer}.self_attn.{name}": (width, width) for name in ("q_proj", "k_proj", "v_proj", "out_proj")
        },
        f"{layer}.mlp.fc1": (inner, width),
        f"{layer}.mlp.fc2": (width, inner),
        "mlp_AR.linear_1": (merged, merged),
        "mlp_AR.linear_2": (_HIDDEN, merged),
        "visual.vision_model.embeddings.patch_embedding": (width, 3, patch, patch),
    }
    norms = (
        f"{layer}.layer_norm1",
        f"{layer}.layer_norm2",
        "visual.vision_model.post_layernorm",
        "mlp_AR.pre_norm",
    )
    positions = (vision.image_size // patch) ** 2
    weights = {"visual.vision_model.embeddings.position_embedding.weight": noise(positions, width)}
    for name, shape in linear.items():
        weights |= {f"{name}.weight": noise(*shape), f"{name}.bias": torch.zeros(shape[0])}
    for name in norms:
        weights |= {f"{name}.weight": torch.ones(width), f"{name}.bias": torch.zeros(width)}
    return weights


def main() -> None:
    """Write the model into the folder of the command line."""
    options = argparse.ArgumentParser(description="Write a PaddleOCR-VL with random weights.")
    options.add_argument("folder", type=Path)
    options.add_argument("--endless", action="store_true")
    options.add_argument("--controls", action="store_true")
    given = options.parse_args()
    write_model(given.folder, given.endless, given.controls)


if __name__ == "__main__":
    main()
