"""Montages against sums done by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nissl.data import ChannelTable
from nissl.data.montage import montage, montage_names
from nissl.errors import BadArgumentError


def _applied(name: str, table: ChannelTable, samples: np.ndarray, traces: np.ndarray) -> np.ndarray:
    shown = montage(name, table)
    columns = shown.columns(traces, len(table))
    return shown.apply(samples[:, columns], columns, traces)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 9), data=st.data())
def test_traces_are_the_differences_they_say(seed: int, n: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    table = ChannelTable.plain(n, shank=rng.integers(0, 2, n))
    samples = rng.normal(0, 10, (30, n)).astype(np.float32)
    by_hand = {
        "recorded": samples,
        "average": samples - samples.mean(axis=1, keepdims=True),
        "median": samples - np.median(samples, axis=1, keepdims=True),
        "reference 1": np.delete(samples - samples[:, [1]], 1, axis=1),
    }
    for name, wanted in by_hand.items():
        some = data.draw(st.lists(st.integers(0, wanted.shape[1] - 1), min_size=1, max_size=4))
        found = _applied(name, table, samples, np.asarray(some))
        np.testing.assert_allclose(found, wanted[:, some], atol=1e-4)


def test_bipolar_follows_a_shank_or_the_clinical_chains() -> None:
    probe = ChannelTable.plain(4, shank=[0, 0, 1, 1])
    assert montage("bipolar", probe).labels == ("0-1", "2-3")
    names = ("Cz..", "Fp1.", "EEG F3-REF", "C3", "P3", "O1", "F7", "EKG")
    scalp = montage("bipolar", ChannelTable.plain(names))
    assert scalp.labels == ("Fp1.-EEG F3-REF", "EEG F3-REF-C3", "C3-P3", "P3-O1")
    assert not scalp.as_recorded
    samples = np.arange(16, dtype=np.float32).reshape(2, 8) ** 2
    found = _applied("bipolar", ChannelTable.plain(names), samples, np.asarray([3, 2]))
    np.testing.assert_array_equal(
        found, np.stack([samples[:, 4] - samples[:, 5], samples[:, 3] - samples[:, 4]], axis=1)
    )


def test_missing_samples_do_not_spoil_the_average_of_the_others() -> None:
    samples = np.asarray([[1.0, np.nan, 3.0], [np.nan] * 3], np.float32)
    for name in ("average", "median"):
        found = _applied(name, ChannelTable.plain(3), samples, np.arange(3))
        np.testing.assert_array_equal(found, [[-1, np.nan, 1], [np.nan] * 3])


def test_unknown_montages_are_refused_and_one_channel_has_no_differences() -> None:
    assert montage_names(ChannelTable.plain(1)) == ["recorded"]
    for name in ("reference 9", "laplace", "bipolar"):
        with pytest.raises(BadArgumentError):
            montage(name, ChannelTable.plain(1))
