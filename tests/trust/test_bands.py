import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nissl.errors import BadArgumentError
from nissl.trust.bands import quantile_edges, split

NUMBERS = st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), max_size=40)


@given(NUMBERS, st.lists(st.floats(-1e3, 1e3), max_size=4))
def test_every_item_is_in_one_group(values, edges):
    for parts in (split(values, len(values), edges=edges), split(values, len(values))):
        total = np.zeros(len(values), int)
        for mask in parts.values():
            assert mask.any()
            total += mask
        assert (total == 1).all()


@given(NUMBERS, st.integers(1, 6))
def test_quantile_bands_are_never_empty(values, n_bands):
    parts = split(values, len(values), edges=quantile_edges(values, n_bands))
    assert len([name for name in parts if name != "unknown"]) <= n_bands
    known = np.array(values)[~np.isnan(values)] if values else np.array([])
    if n_bands == 2 and np.unique(known).size > 1 and np.median(known) > known.min():
        assert "unknown" in parts or len(parts) == 2


def test_names_of_bands_and_of_what_is_not_known():
    parts = split([1.0, 3.0, np.nan, 7.0], 4, edges=[6, 3])
    assert {name: mask.tolist().index(True) for name, mask in parts.items()} == {
        "below 3": 0, "3 to 6": 1, "6 and more": 3, "unknown": 2,
    }  # fmt: skip
    assert list(split(["b", None, "a", ""], 4)) == ["a", "b", "unknown"]
    with pytest.raises(BadArgumentError):
        split([1.0], 2)
