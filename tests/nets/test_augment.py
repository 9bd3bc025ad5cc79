"""Augmentations say what they assume, and are refused where that is false."""

import numpy as np
import pytest

from nissl.errors import BadArgumentError
from nissl.nets.augment import (
    AUGMENTATIONS,
    Setting,
    augmenter,
    band_stop,
    by_epoch,
    channel_dropout,
    fewer_channels,
    gain,
    mirror,
    mirrored_channels,
    sign_flip,
    time_shift,
)

NAMES = ("C3", "Cz", "C4", "Fp1", "Fp2")
HANDS = Setting(128.0, "motor_imagery", NAMES, ("left_fist", "right_fist", "feet"))
STEADY = Setting(128.0, "ssvep", NAMES, ("a", "b"), (10.0, 20.0))


def trials(n=20, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, len(NAMES), 128)), rng.integers(0, 2, n)


def test_none_by_default_and_each_says_what_it_assumes():
    x, y = trials()
    out, label = augmenter([], HANDS)(x, y, np.random.default_rng(0))
    assert out is x
    assert label is y
    assert all(len(a.assumes.split()) > 3 for a in AUGMENTATIONS.values())
    with pytest.raises(BadArgumentError, match="jitter"):
        augmenter(["jitter"], HANDS)
    with pytest.raises(BadArgumentError, match="paradigm"):
        Setting(128.0, "oddball")


@pytest.mark.parametrize("paradigm", ["p300", "interictal"])
def test_the_sign_is_kept_where_it_is_the_meaning(paradigm):
    with pytest.raises(BadArgumentError, match="sign"):
        sign_flip(Setting(128.0, paradigm), 0.5)
    with pytest.raises(BadArgumentError, match="sign"):
        augmenter(["time_shift", "sign_flip"], Setting(128.0, paradigm))
    x, y = trials()
    out, label = sign_flip(HANDS, 1.0)(x, y, np.random.default_rng(0))
    assert np.array_equal(out, -x)
    assert np.array_equal(label, y)


def test_shifts_of_steady_states_stay_within_a_tenth_of_a_cycle():
    time_shift(STEADY, 0.005)
    with pytest.raises(BadArgumentError, match="cycle"):
        time_shift(STEADY, 0.0051)
    with pytest.raises(BadArgumentError):
        time_shift(Setting(128.0, "ssvep"), 0.001)  # of unknown frequency
    x, y = trials()
    out, _ = time_shift(HANDS, 0.1)(x, y, np.random.default_rng(0))
    for before, after in zip(x, out, strict=True):
        by = [k for k in range(-12, 13) if np.array_equal(_moved(before, k), after)]
        assert by


def _moved(x, by):
    out, n = np.zeros_like(x), x.shape[1]
    out[:, max(by, 0) : n + min(by, 0)] = x[:, max(-by, 0) : n - max(by, 0)]
    return out


def test_mirroring_imagery_swaps_the_label():
    x, y = trials()
    out, label = mirror(HANDS, 1.0)(x, y, np.random.default_rng(0))
    assert np.array_equal(out, x[:, [2, 1, 0, 4, 3]])
    assert np.array_equal(label, 1 - y)
    _, feet = mirror(HANDS, 1.0)(x, np.full(20, 2), np.random.default_rng(0))
    assert set(feet.tolist()) == {2}
    _, kept = mirror(Setting(128.0, "p300", NAMES), 1.0)(x, y, np.random.default_rng(0))
    assert np.array_equal(kept, y)
    for names, classes in (
        (("C3", "Cz"), ("left", "right")),
        (NAMES, ("tongue", "feet")),
        ((), ("left", "right")),
        (NAMES, ("left", "feet")),
    ):
        with pytest.raises(BadArgumentError):
            mirror(Setting(128.0, "motor_imagery", names, classes), 0.5)
    assert mirrored_channels(("PO7", "PO8", "Oz")).tolist() == [1, 0, 2]


def test_band_stop_spares_the_stimulus():
    x = np.sin(2 * np.pi * np.array([[10.0], [20.0]])[:, None] * np.arange(512) / 128)
    change, rng = band_stop(STEADY, 2.0), np.random.default_rng(0)
    for _ in range(30):
        out, _ = change(x, np.array([0, 1]), rng)
        assert np.all(out.std(axis=2) > 0.9 * x.std(axis=2))
    with pytest.raises(BadArgumentError, match="band"):
        band_stop(STEADY, 12.0)
    with pytest.raises(BadArgumentError):
        band_stop(Setting(128.0, "ssvep"), 2.0)


def test_dropout_takes_whole_channels():
    x, y = trials()
    out, _ = channel_dropout(HANDS, 0.5)(x, y, np.random.default_rng(0))
    gone = ~out.any(axis=2)
    assert 0.3 < gone.mean() < 0.7
    assert np.array_equal(out[~gone], x[~gone])


def test_size_is_kept_where_it_is_part_of_the_definition():
    gain(Setting(100.0), 1.0)
    for paradigm in ("sleep", "interictal"):
        gain(Setting(100.0, paradigm), 0.2)
        with pytest.raises(BadArgumentError, match="size"):
            gain(Setting(100.0, paradigm), 0.5)
    x, y = trials()
    out, _ = gain(HANDS, 0.2)(x, y, np.random.default_rng(0))
    assert np.allclose(out / x, (out / x)[:, :1, :1])


def test_windows_in_sequences_are_changed_one_by_one():
    x, y = trials(20)
    change = by_epoch(mirror(HANDS, 0.5))
    out, label = change(x.reshape(4, 5, 5, 128), y.reshape(4, 5), np.random.default_rng(1))
    flat, codes = mirror(HANDS, 0.5)(x, y, np.random.default_rng(1))
    assert np.array_equal(out.reshape(x.shape), flat)
    assert np.array_equal(label.ravel(), codes)


def test_channels_are_taken_away_but_never_all():
    x, y = trials(400)
    out, _ = fewer_channels(HANDS, 0.8)(x, y, np.random.default_rng(0))
    gone = np.isnan(out).all(axis=2)
    assert np.isnan(out).any(axis=2).tolist() == gone.tolist()
    assert gone.sum(axis=1).max() == len(NAMES) - 1
    assert np.array_equal(out[~gone], x[~gone])
