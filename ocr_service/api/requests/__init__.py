"""Requests: from the bytes of the body to validated values."""
