"""The process itself: threads, cores, memory, background tasks, signals, connections."""
