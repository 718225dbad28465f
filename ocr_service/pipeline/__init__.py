"""From document to text: page selection, page reading and the cache."""
