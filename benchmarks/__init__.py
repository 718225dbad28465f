"""Measurements that anyone can run again: each prints a table with ratios taken in one run."""
