"""Answers of the stand-in in the form of vLLM 0.19.1, with which `make test-real-vllm` compares them."""

import time

from tests.stand_ins.generation import Generated


def completion(model: str, generated: Generated) -> dict[str, object]:
    """Return the answer of vLLM."""
    message: dict[str, object] = {
        "role": "assistant",
        "content": generated.content,
        "refusal": None,
        "annotations": None,
        "audio": None,
        "function_call": None,
        "tool_calls": [],
        "reasoning": None,
    }
    choice: dict[str, object] = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": generated.finish_reason,
        "stop_reason": "repetition_detected" if generated.finish_reason == "repetition" else None,
        "token_ids": None,
    }
    return {
        "id": "chatcmpl-stand-in",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [choice],
        "usage": {
            "prompt_tokens": 0,
            "completion_tokens": generated.tokens,
            "total_tokens": generated.tokens,
        },
    }


def model_card(name: str, max_model_len: int) -> dict[str, object]:
    """Return the entry of a model in the list of models."""
    created = int(time.time())
    allowed = ("sampling", "logprobs", "view")
    refused = ("create_engine", "search_indices", "fine_tuning")
    permission = {
        "id": "modelperm-stand-in",
        "object": "model_permission",
        "created": created,
        **{f"allow_{name}": True for name in allowed},
        **{f"allow_{name}": False for name in refused},
        "organization": "*",
        "group": None,
        "is_blocking": False,
    }
    return {
        "id": name,
        "object": "model",
        "created": created,
        "owned_by": "vllm",
        "root": name,
        "parent": None,
        "max_model_len": max_model_len,
        "permission": [permission],
    }
