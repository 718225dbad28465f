"""API keys, and the rules for addresses that documents are fetched from."""
