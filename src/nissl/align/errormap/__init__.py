"""Who predicts whom: maps of skill among fragments, their reasons and groups."""
