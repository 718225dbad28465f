"""HTTP alone: what comes in is turned into values, what goes out is rendered elsewhere."""
