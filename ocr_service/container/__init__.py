"""Entry points of the container: the first process and the health check."""
