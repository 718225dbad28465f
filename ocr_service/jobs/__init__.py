"""Jobs: documents that are accepted now and read later, whatever ends in between."""
