"""Routes of the review server, one file per part."""
