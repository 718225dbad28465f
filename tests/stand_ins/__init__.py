"""Stand-ins for what cannot be had without a GPU: the models' weights and the vLLM server.

They serve tests and benchmarks alone. Everything around them is real: PaddleOCR's own pipeline, ONNX Runtime,
HTTP over sockets.

- `pages`: pages whose layout is printed on them in grey cells, beside real text.
- `models`: three small ONNX models in the form of the official ones; the layout model reads those cells.
- `vllm_server`: an OpenAI-compatible server that batches continuously as vLLM does, with invented words.
"""
