"""Parts of `make bench-accuracy`: contenders, scores and tables."""
