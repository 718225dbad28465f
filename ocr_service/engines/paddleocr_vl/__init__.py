"""Parts around the official PaddleOCR-VL pipeline: the client of vLLM, the model thread, the results."""
