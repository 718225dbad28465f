"""Answers: from results and errors to JSON, streams and headers."""
