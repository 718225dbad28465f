"""The process: threads, cores, memory, background tasks, signals and connections."""
