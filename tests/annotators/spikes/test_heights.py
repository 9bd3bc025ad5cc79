"""Peak-to-peak amplitudes around spikes."""

import numpy as np

from nissl.annotators.spikes.heights import heights


def test_heights_are_largest_less_smallest_within_the_samples():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 7)).astype(np.float32)
    at = np.asarray([0, 3, 100, 199], np.int64)
    near = np.asarray([[0, 1, -1], [6, 2, 3], [5, -1, -1], [4, 4, 0]], np.int64)
    found = heights(x, at, near, 10, 7)
    for i, t in enumerate(at.tolist()):
        cut = x[max(t - 10, 0) : t + 7]
        for m, c in enumerate(near[i].tolist()):
            assert found[i, m] == (np.ptp(cut[:, c]) if c >= 0 else 0)
