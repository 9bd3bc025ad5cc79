"""Neurons followed through volumes of a moving, deforming animal."""
