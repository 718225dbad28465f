"""Commands of the service to the fork server: a name and, for most, the number of a worker process."""

FORK = b"fork"
KILL = b"kill"
LOWER_PRIORITY = b"nice"
TELL_EXIT_CODE = b"exit"

OUT_OF_MEMORY = 3
"""Exit code of a worker that reaches its limit of memory."""

NICENESS = 5
"""Of workers beside the service, and of one that takes long beside the others.

A process gets three times as much of a core as one with this niceness. So the event loop answers at once
while workers keep all cores busy.
"""
