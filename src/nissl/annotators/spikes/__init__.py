"""Spikes: sorters as annotators, unit metrics, checks, simulated and hybrid ground truth."""
