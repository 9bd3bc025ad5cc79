"""How the tissue moved, and samples brought back to rest."""
