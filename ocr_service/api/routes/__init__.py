"""The routes, one file for each address or group of addresses."""
