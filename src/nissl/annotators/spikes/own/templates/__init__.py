"""Waveforms of units, and their estimates."""
