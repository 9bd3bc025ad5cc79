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
    columns = shown.columns(traces)
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
    names = ("Cz..", "Fp1.", "EEG F3", "C3", "P3", "O1", "F7", "EKG")
    scalp = montage("bipolar", ChannelTable.plain(names))
    assert scalp.labels == ("Fp1-F3", "F3-C3", "C3-P3", "P3-O1")
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


CAP = ("Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "T3", "C3", "Cz", "C4", "T4", "T5", "P3", "Pz")
CAP = (*CAP, "P4", "T6", "O1", "O2", "A1", "A2", "EOG", "ECG")


def test_eeg_montages_change_eeg_channels_alone() -> None:
    table = ChannelTable.plain(CAP, kind="eeg")
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 10, (20, len(CAP))).astype(np.float32)
    everything = np.arange(len(CAP))
    assert montage_names(table) == [
        *("recorded", "average", "median", "bipolar", "linked mastoids", "laplacian"),
        "reference Cz",
    ]
    eeg = slice(0, 21)
    found = _applied("average", table, samples, everything)
    wanted = samples[:, eeg] - samples[:, eeg].mean(axis=1, keepdims=True)
    np.testing.assert_allclose(found[:, eeg], wanted, atol=1e-4)
    np.testing.assert_array_equal(found[:, 21:], samples[:, 21:])
    found = _applied("linked mastoids", table, samples, everything)
    wanted = samples[:, eeg] - samples[:, 19:21].mean(axis=1, keepdims=True)
    np.testing.assert_allclose(found[:, eeg], wanted, atol=1e-4)
    np.testing.assert_array_equal(found[:, 21:], samples[:, 21:])
    assert montage("linked mastoids", table).labels[:2] == ("Fp1-M1M2", "Fp2-M1M2")
    banana = montage("bipolar", table).labels
    assert len(banana) == 18
    assert banana[:4] == ("Fp1-F7", "F7-T7", "T7-P7", "P7-O1")


def test_the_laplacian_takes_the_neighbours_of_hjorth() -> None:
    table = ChannelTable.plain(CAP, kind="eeg")
    shown = montage("laplacian", table)
    around = {
        CAP[p]: {CAP[i] for i in less} for p, less in zip(shown.plus, shown.less, strict=True)
    }
    assert around["Cz"] == {"C3", "C4", "Fz", "Pz"}
    assert around["C3"] == {"T3", "Cz", "F3", "P3"}
    assert around["F3"] == {"F7", "Fz", "Fp1", "C3"}
    assert around["P4"] == {"Pz", "T6", "C4", "O2"}
    assert not {"EOG", "A1", "ECG", "Fp1"} & set(around)
    flat = np.ones((5, len(CAP)), np.float32)
    assert not _applied("laplacian", table, flat, np.arange(shown.n_traces)).any()


def test_channels_of_different_references_are_not_set_against_each_other() -> None:
    table = ChannelTable.plain(("EEG Fpz-Cz", "EEG Pz-Oz", "C3-A2", "C4-A2", "F3-A2"), kind="eeg")
    less = montage("average", table).less
    assert less == ((), (), (2, 3, 4), (2, 3, 4), (2, 3, 4))
    assert "linked mastoids" not in montage_names(table)


def test_depth_electrodes_are_paired_along_their_shafts() -> None:
    names = ("LB2", "LA1", "LA2", "LA4", "LA5", "LB1", "LA3", "ECG")
    shown = montage("bipolar", ChannelTable.plain(names, kind="ieeg"))
    assert shown.labels == ("LA1-LA2", "LA2-LA3", "LA3-LA4", "LA4-LA5", "LB1-LB2")
