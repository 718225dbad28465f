"""Values, errors and interfaces that all other folders use."""
