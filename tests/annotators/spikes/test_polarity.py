"""Whether a recording stands on its head."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nissl.annotators.spikes.polarity import polarity_finding, upward


def templates(n_up, n_down, channels=4):
    down = -np.exp(-0.5 * ((np.arange(40) - 15) / 3) ** 2)[:, None] * np.linspace(1, 0.3, channels)
    down[25:] += 0.2
    return np.stack([*[-down] * n_up, *[down] * n_down]).astype(np.float32)


@pytest.mark.parametrize(("n_up", "n_down", "told"), [(0, 9, False), (4, 5, False), (9, 1, True)])
def test_most_units_upward_is_told(n_up, n_down, told):
    found = polarity_finding(templates(n_up, n_down))
    assert (found is not None) is told
    if found is not None:
        assert found.check == "novelty"
        assert found.item is None
        assert found.value == pytest.approx(n_up / (n_up + n_down))


@given(st.integers(1, 4))
def test_few_units_say_nothing(n):
    assert polarity_finding(templates(n, 0)) is None


def test_unknown_channels_and_flat_units_do_not_count():
    given_ = templates(1, 6)
    given_[0, :, 2:] = np.nan
    given_[1] = 0
    known = upward(given_)
    assert known[0] == 1
    assert np.isnan(known[1])
    assert polarity_finding(given_) is None
    assert polarity_finding(np.empty((0, 40, 4))) is None
