"""Our own spike sorter: `spikes/nissl`."""
