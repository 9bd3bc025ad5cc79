"""Overlap windows of several recordings: described, how much is needed, how long it holds."""
