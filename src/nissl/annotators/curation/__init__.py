"""Curation: which sorted units are single neurons, mixtures or noise."""
