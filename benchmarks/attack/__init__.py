"""Attacks on a running service, one file for each, and the effect on an honest caller.

An attack is a function `attack(address, stop)` that keeps on until `stop` is set, and returns its outcomes by
their number. It runs in a process of its own. `SETTINGS` are those of the service, if it needs any.
"""
