"""What relates sources to each other: the same cell on another day."""
