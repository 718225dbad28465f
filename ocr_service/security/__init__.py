"""API keys, and the addresses that a document may be fetched from."""
