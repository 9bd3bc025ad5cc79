"""The review server: thin, computes nothing that `review` or `trust` could."""
