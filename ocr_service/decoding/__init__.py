"""Bytes → pages: a document is opened as a whole, and its pages are decoded one by one on demand."""
