"""The same cell on another day: registration of fields, and matching within them."""
