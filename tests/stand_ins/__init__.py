"""Stand-ins for the parts that need a GPU: the weights of the models, and the vLLM server.

Only tests and benchmarks use them. Everything around them is real: PaddleOCR's own pipeline, ONNX Runtime,
HTTP over sockets.

- `pages`: pages whose layout is encoded in grey cells along the upper edge, beside real text.
- `models`: three small ONNX models in the format of the official ones; the layout model reads these cells.
- `vllm_server`: an OpenAI-compatible server with the continuous batching of vLLM and invented text.
"""
