"""Storing results: packing, upload with retries, the spool, a local folder."""
