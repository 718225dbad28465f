"""Commands of the service to the fork server: a name and, for two of them, the number of a worker process."""

FORK = b"fork"
KILL = b"kill"
LOWER_PRIORITY = b"nice"

NICENESS = 5
"""Of a worker that takes long: beside it, any other process gets three times as much of a core."""
