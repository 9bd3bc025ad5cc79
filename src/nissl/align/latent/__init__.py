"""Populations in a common space: latents, alignment, geometry, drift."""
