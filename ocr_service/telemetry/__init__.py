"""Logs, metrics, traces, and the record of the running request that they share."""
