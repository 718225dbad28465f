"""From a result to stored files: packing, storing, the spool."""
