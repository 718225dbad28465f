"""Limits on concurrent work: requests, pages, deadlines, and the drain."""
