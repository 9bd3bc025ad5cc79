"""What surrounds an epoch."""

import numpy as np

from nissl.annotators.sleep.context import context, on_own_scale, with_ratios
from nissl.annotators.sleep.words import in_words, words

NAMES = ("front:log10_bp_delta_0.5-4", "front:log10_bp_beta_13-30", "front:log10_var")


def night(n=200, seed=0):
    return np.random.default_rng(seed).normal(2, 1, (n, len(NAMES)))


def test_the_nights_own_scale_takes_out_gain():
    x = night()
    assert np.allclose(on_own_scale(x), on_own_scale(x + 0.35))
    wide, names = context(x, NAMES, 30.0)
    louder, _ = context(x + 0.35, NAMES, 30.0)
    own = [k for k, n in enumerate(names) if "|" in n]
    assert np.allclose(wide[:, own], louder[:, own])


def test_ratios_are_differences_of_logarithms():
    x, names = with_ratios(night(), NAMES)
    assert names[-1] == "front:log10_bp_delta_0.5-4/front:beta_13-30"
    assert np.allclose(x[:, -1], x[:, 0] - x[:, 1])


def test_widths_are_in_minutes_whatever_the_epoch():
    long, short = context(night(40), NAMES, 30.0)[1], context(night(400), NAMES, 4.0)[1]
    assert long == short


def test_what_is_missing_stays_missing_and_does_not_spread():
    x = night()
    x[:, 0] = np.nan
    x[50, 2] = np.nan
    wide, names = context(x, NAMES, 30.0)
    place = {n: k for k, n in enumerate(names)}
    assert np.isnan(wide[:, place[NAMES[0] + "|mean 4 min"]]).all()
    assert np.isnan(wide[50, place[NAMES[2] + "|night"]])
    assert np.isfinite(wide[50, place[NAMES[2] + "|mean 4 min"]])


def test_lags_look_before_and_after():
    x = night()
    wide, names = context(x, NAMES, 30.0)
    at, later = (names.index(NAMES[2] + end) for end in ("|night", "|+0.5 min"))
    assert np.allclose(wide[:-1, later], wide[1:, at])


def test_every_feature_has_words_that_take_its_value():
    _, names = context(night(), NAMES, 30.0)
    for name in names:
        said = words(name).format(1.25)
        assert "log10" not in said
        assert "1.25" in said


def test_sentences_speak_of_epochs_and_people():
    said = "back:log10_var is missing in 5 % of the items; unlike 7 animals"
    expected = "occipital amplitude is missing in 5 % of the epochs; unlike 7 people"
    assert in_words(said, ["back:log10_var", "back:log10_bp_delta_0.5-4"]) == expected
