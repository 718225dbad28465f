"""Logs, metrics and traces, and the record of the current request that they share."""
