"""Identities over several days, and where pairs of days disagree."""

import numpy as np
import pytest

from nissl.align.chains import chains
from nissl.align.waveforms.matching import match
from nissl.align.waveforms.simulate import simulate_days
from nissl.errors import BadArgumentError


def links(*rows):
    a, b, p = zip(*rows, strict=True)
    return np.array(a), np.array(b), np.array(p, float)


def test_days_that_agree_make_one_identity():
    found = chains(
        [2, 2, 3],
        {
            (0, 1): links((0, 1, 0.9)),
            (1, 2): links((1, 2, 0.9)),
            (0, 2): links((0, 2, 0.8)),
        },
    )
    a, b, c = found.identity
    assert a[0] == b[1] == c[2]
    assert len(set(a.tolist() + b.tolist() + c.tolist())) == 5
    assert (found.agreed, found.clashing, found.dropped) == (1, 0, 0)


def test_a_clash_is_told_and_the_likeliest_links_win():
    found = chains(
        [1, 1, 2],
        {
            (0, 1): links((0, 0, 0.9)),
            (1, 2): links((0, 1, 0.95)),
            (0, 2): links((0, 0, 0.6)),
        },
    )
    a, b, c = found.identity
    assert a[0] == b[0] == c[1] != c[0]
    assert found.dropped == 1
    (clash,) = found.clashes
    assert clash.path == (0, 0, 1)
    assert clash.direct == 0


def test_three_simulated_days_agree():
    size = {"n_units": 25, "n_channels": 32, "n_days": 3, "turnover": 0.2}
    made = simulate_days(np.random.default_rng(7), **size)
    days, found = made.days, {}
    for a, b in ((0, 1), (1, 2), (0, 2)):
        m = match(days[a], days[b])
        found[a, b] = m.pairs.a[m.chosen], m.pairs.b[m.chosen], m.same[m.chosen]
    told = chains([len(day) for day in days], found)
    assert told.agreed >= 5
    assert told.clashing <= 0.2 * told.agreed
    joined = np.concatenate(told.identity)
    truth = np.concatenate(made.neuron)
    same = joined[:, None] == joined[None]
    right = truth[:, None] == truth[None]
    apart = ~np.eye(len(truth), dtype=bool)
    assert np.mean(right[same & apart]) > 0.9


def test_nonsense_is_refused():
    with pytest.raises(BadArgumentError, match="earlier"):
        chains([2, 2], {(1, 0): links((0, 0, 0.9))})
    with pytest.raises(BadArgumentError, match="one partner"):
        chains([2, 2], {(0, 1): links((0, 0, 0.9), (0, 1, 0.9))})
