"""Values, errors and seams that every other folder speaks in."""
