"""Which units might be two neurons, and which two one: what the sorter nearly split or merged."""
