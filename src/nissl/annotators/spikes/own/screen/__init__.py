"""The network that knows artifacts, and its training."""
