"""One source and another: same cells and units, populations, windows, maps, rounds, evidence."""
