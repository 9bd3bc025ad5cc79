"""Two label sets of one kind, side by side: what agrees, item by item, and how surely.

`compare(a, b)` takes `a` as the reference. Every kind has its own file and its own options;
all of them give a `Comparison`. `pool` puts comparisons of several sources together, with
intervals over subjects.
"""

from nissl.labels.compare.comparison import Comparison, compare, pool

__all__ = ["Comparison", "compare", "pool"]
