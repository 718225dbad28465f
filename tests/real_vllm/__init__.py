"""The real vLLM on a CPU, with a tiny model of random weights, for `make test-real-vllm`."""
