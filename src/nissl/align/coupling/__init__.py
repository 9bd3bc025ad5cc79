"""Coupling loop: align, translate, map, choose what to refine or which window to use next."""
