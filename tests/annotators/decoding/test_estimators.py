"""Decoders on arrays: what they find, what they refuse, and adaptation without labels."""

import numpy as np
import pytest

from nissl.annotators.decoding.align import recentred, whitener
from nissl.annotators.decoding.crossval import calibrated, left_out, stretches
from nissl.annotators.decoding.csp import CommonPatterns
from nissl.annotators.decoding.eegnet import EegNet
from nissl.annotators.decoding.erp import Means
from nissl.annotators.decoding.estimator import checked_examples, checked_trials
from nissl.annotators.decoding.judging import bits_per_minute, bits_per_trial, scores
from nissl.annotators.decoding.riemann import TangentSpace, around, stacked
from nissl.annotators.decoding.ssvep import (
    CanonicalCorrelation,
    TaskRelated,
    band_weights,
    canonical,
    directions,
    filter_bank,
    references,
    repeating,
)
from nissl.annotators.decoding.ssvep_weights import WeightedCorrelations
from nissl.errors import BadArgumentError, BadSamplesError, EvaluationError, MissingInputError

RNG = np.random.default_rng


def variances(n=60, channels=6, samples=200, gain=3.0, mixing=None, seed=0):
    """Trials in which one source is stronger in class 1."""
    rng = RNG(seed)
    y = np.arange(n) % 2
    sources = rng.standard_normal((n, channels, samples))
    sources[y == 1, 0] *= gain
    mix = rng.standard_normal((channels, channels)) if mixing is None else mixing
    return np.einsum("cd,ndt->nct", mix, sources), y


def sines(n=60, rate=128.0, samples=256, noise=1.0, hz=(9.0, 11.0, 14.0), seed=0, phase=True):
    rng = RNG(seed)
    y, t = np.arange(n) % len(hz), np.arange(samples) / rate
    shift = rng.uniform(0, 2 * np.pi, n) if phase else np.zeros(n)
    waves = np.sin(2 * np.pi * np.array(hz)[y][:, None] * t + shift[:, None])
    x = noise * rng.standard_normal((n, 4, samples))
    return x + waves[:, None] * np.array([1.0, 0.8, 0.3, 0.0])[:, None], y


@pytest.mark.parametrize("estimator", [TangentSpace(), CommonPatterns(2)])
def test_variances_are_told_apart(estimator):
    x, y = variances()
    p = left_out(estimator, x, y, stretches(y, 5), rng=RNG(0))
    assert p.shape == (60, 2)
    assert np.allclose(p.sum(axis=1), 1)
    assert np.mean(p.argmax(axis=1) == y) > 0.95


def test_common_patterns_of_three_classes_and_few_channels():
    rng = RNG(3)
    y = np.arange(90) % 3
    x = rng.standard_normal((90, 4, 150))
    for k in range(3):
        x[y == k, k] *= 3
    p = left_out(CommonPatterns(), x, y, stretches(y, 3), rng=rng)
    assert np.mean(p.argmax(axis=1) == y) > 0.95


def test_bands_are_stacked():
    x, _ = sines(n=6)
    assert stacked(x, 128.0, around((9.0, 11.0))).shape == (6, 8, 256)
    assert stacked(x, 128.0, ()) is x
    with pytest.raises(BadArgumentError, match="band"):
        stacked(x, 128.0, ((1.0, 70.0),))


@pytest.mark.parametrize(
    "estimator",
    [
        CanonicalCorrelation((9.0, 11.0, 14.0), 128.0),
        CanonicalCorrelation((9.0, 11.0, 14.0), 128.0, n_bands=3, first_hz=6.0),
        WeightedCorrelations((9.0, 11.0, 14.0), 128.0),
    ],
)
def test_frequencies_are_found_whatever_their_phase(estimator):
    x, y = sines()
    p = left_out(estimator, x, y, stretches(y, 4), rng=RNG(0))
    assert np.mean(p.argmax(axis=1) == y) > 0.95
    fitted = estimator.fit(x, y, rng=RNG(0))
    assert np.allclose(fitted.predict_proba(np.zeros((2, 4, 256))), 1 / 3, atol=0.02)
    with pytest.raises(BadArgumentError, match="frequency"):
        estimator.fit(x, np.arange(60) % 4, rng=RNG(0))


def test_components_that_repeat_need_the_same_phase():
    same, y = sines(noise=2.0, phase=False)
    other, _ = sines(noise=2.0, phase=True)
    estimator = TaskRelated(128.0, n_bands=1, first_hz=5.0)
    right = [
        np.mean(left_out(estimator, x, y, stretches(y, 4), rng=RNG(0)).argmax(axis=1) == y)
        for x in (same, other)
    ]
    assert right[0] > 0.95
    assert right[1] < 0.75
    with pytest.raises(BadArgumentError, match="as it was taught"):
        estimator.fit(same, y, rng=RNG(0)).predict_proba(same[:, :, :100])
    assert np.abs(repeating(same[y == 0])).argmax() == 0


def test_canonical_correlation_of_a_known_mixture():
    basis = references(10.0, 128.0, 256, 1)
    noise = RNG(1).standard_normal((3, 2, 256))
    noise -= noise.mean(axis=2, keepdims=True)
    q = np.linalg.qr(np.concatenate([basis.T - basis.T.mean(0), noise[0].T], axis=1))[0]
    x = np.stack([0.6 * q[:, 0] + 0.8 * q[:, 2], q[:, 3]])[None]  # cosine of the angle is 0.6
    assert canonical(directions(x), basis)[0] == pytest.approx(0.6, abs=1e-6)
    assert references(50.0, 128.0, 64, 3).shape == (2, 64)
    assert band_weights(2).tolist() == pytest.approx([1.25, 2**-1.25 + 0.25])
    with pytest.raises(BadArgumentError):
        filter_bank(noise, 128.0, 30.0, 3)


def test_eegnet_learns_variances():
    torch = pytest.importorskip("torch")
    x, y = variances(n=80, channels=4, samples=128, gain=4.0)
    before = torch.get_rng_state()
    fitted = EegNet(64.0, epochs=40).fit(x[:60], y[:60], rng=RNG(0))
    assert torch.equal(torch.get_rng_state(), before)
    assert np.mean(fitted.predict_proba(x[60:]).argmax(axis=1) == y[60:]) >= 0.85
    with pytest.raises(BadArgumentError, match="32"):
        EegNet(64.0).fit(x[:, :, :20], y, rng=RNG(0))


def test_means_shorten_windows():
    assert Means(4).transform(np.arange(24.0).reshape(1, 2, 12)).tolist() == [
        [1, 4, 7, 10, 13, 16, 19, 22]
    ]


def test_bad_examples():
    x, y = variances(n=8)
    with pytest.raises(MissingInputError):
        checked_examples(x, np.zeros(8, int))
    with pytest.raises(MissingInputError):
        checked_examples(x, np.array([0] * 7 + [1]))
    with pytest.raises(BadArgumentError):
        checked_examples(x, y[:-1])
    with pytest.raises(BadArgumentError):
        checked_trials(x[0])
    x[3, 0, 0] = np.inf
    with pytest.raises(BadSamplesError, match="3"):
        checked_trials(x)


def test_recentring_makes_subjects_alike():
    parts = [variances(seed=k, mixing=None) for k in range(4)]  # each has a mixing of its own
    x = np.concatenate([p[0] for p in parts])
    subject = np.repeat(list("abcd"), 60)
    out = recentred(x, subject)
    for name in "abcd":
        own = out[subject == name]
        mean = np.einsum("nct,ndt->cd", own, own) / own.shape[0] / own.shape[2]
        assert np.allclose(mean, np.eye(6), atol=1e-8)
    flipped = recentred(-3 * x[:60], ["a"] * 60)
    assert np.allclose(flipped, -out[:60])  # amplitude goes, the sign stays
    assert whitener(x[:60]).shape == (6, 6)
    with pytest.raises(BadArgumentError):
        recentred(x, ["a"])
    with pytest.raises(BadArgumentError):
        whitener(x[:0])


def test_recentring_mends_a_change_of_gain():
    x, y = variances(gain=1.5)
    moved = x[30:] * np.array([5.0, 0.2, 1, 3, 1, 0.5])[:, None]  # another cap
    plain = TangentSpace().fit(x[:30], y[:30], rng=RNG(0)).predict_proba(moved)
    alike = TangentSpace().fit(recentred(x[:30], ["a"] * 30), y[:30], rng=RNG(0))
    mended = alike.predict_proba(recentred(moved, ["b"] * 30))
    assert np.mean(mended.argmax(axis=1) == y[30:]) > np.mean(plain.argmax(axis=1) == y[30:])


def test_folds_are_stretches_of_time_with_every_class():
    y = np.array([0, 0, 1, 0, 1, 1, 0, 1, 0, 1])
    fold = stretches(y, 5)
    for k in range(2):
        assert fold[y == k].tolist() == [0, 1, 2, 3, 4]
    assert stretches(np.array([0, 0, 1, 1, 1]), 5).max() == 1
    with pytest.raises(MissingInputError):
        stretches(np.array([0, 0, 1]), 5)


def test_calibration_is_of_other_folds():
    rng = RNG(0)
    y = rng.integers(0, 2, 400)
    true = np.where(y == 1, 0.7, 0.3) * np.ones(400)
    wrong = np.where(rng.random(400) < 0.7, true, 1 - true)
    p = np.column_stack([1 - wrong, wrong]) ** 8
    p /= p.sum(axis=1, keepdims=True)  # far too sure
    out, calibration = calibrated(p, y, np.arange(400) // 100, rng=rng)
    assert calibration.kind in ("temperature", "beta")
    assert out.max() < 0.85 < p.max()
    with pytest.raises(EvaluationError):
        calibrated(p, y, np.zeros(400, int), rng=rng)


def test_no_answer_is_surer_than_the_trials_allow():
    y = np.arange(40) % 2
    p = np.eye(2)[y]
    out, calibration = calibrated(p, y, np.arange(40) // 10, rng=RNG(0))
    assert out.max() == pytest.approx(1 - 1 / 32, abs=1e-4)
    assert calibration.apply(p).max() == pytest.approx(1 - 1 / 42, abs=1e-4)
    assert np.allclose(out.sum(axis=1), 1)


def test_information_rates():
    assert bits_per_trial(1.0, 4) == 2.0
    assert bits_per_trial(0.25, 4) == 0.0
    assert bits_per_trial(0.1, 4) == 0.0
    assert bits_per_trial(0.9, 36) == pytest.approx(4.188, abs=1e-3)
    assert bits_per_minute(1.0, 2, 2.0) == 30.0
    with pytest.raises(BadArgumentError):
        bits_per_trial(1.2, 4)
    with pytest.raises(BadArgumentError):
        bits_per_minute(0.9, 2, 0.0)


def test_scores_of_nothing_and_of_one_class():
    p = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert scores(p, np.array([0, 1]))["auc"] == 1.0
    assert np.isnan(scores(p, np.array([0, 0]))["auc"])
    assert np.isnan(scores(p[:0], np.array([], int))["accuracy"])
