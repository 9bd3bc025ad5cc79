"""The same unit on another day, by its waveforms over space."""
