"""The routes, one file for each path or group of paths."""
