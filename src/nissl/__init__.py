"""Labels on neural recordings that one can trust."""

__version__ = "0.1.0"
