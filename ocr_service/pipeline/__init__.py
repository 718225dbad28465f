"""From a document's bytes to its text: page selection, reading, cache."""
