"""Place codes: tuning, remapping, and which unit is which by what it does."""
