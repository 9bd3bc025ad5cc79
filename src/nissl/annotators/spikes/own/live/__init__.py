"""The same stages on a stream."""
