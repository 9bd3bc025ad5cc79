"""Matching pursuit of templates in all samples."""
