"""Options of hybrids: limits, and how far units move where nothing is said."""

import pytest

from nissl.annotators.spikes.hybrid_options import HybridOptions
from nissl.errors import BadArgumentError


@pytest.mark.parametrize(
    "wrong",
    [{"overlaps": 0.7}, {"drift": "slow"}, {"drift_um": 5.0}, {"drift": "rigid", "drift_um": -1.0}],
)
def test_options_outside_their_limits_are_refused(wrong):
    with pytest.raises(BadArgumentError):
        HybridOptions(**wrong)


def test_how_far_units_move():
    assert HybridOptions().range_um == 0
    assert HybridOptions(drift="rigid").range_um == 30
    assert HybridOptions(drift="jumps").range_um == 100
    assert HybridOptions(drift="jumps", drift_um=0.0).range_um == 0
