"""Cells in movies of fluorescence, and their traces."""
