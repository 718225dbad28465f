"""Work in sandboxed processes that can be killed: decoding, in C libraries, of files from anybody."""
