"""Work in sandboxed processes that can be killed: C libraries that decode and read files from anybody."""
