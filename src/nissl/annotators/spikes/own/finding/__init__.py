"""Units found in what is left: detection, clusters, merges and splits."""
