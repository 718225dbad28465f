"""Requests, from the body's bytes to checked values."""
