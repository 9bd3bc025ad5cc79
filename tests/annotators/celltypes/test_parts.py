"""Small parts of the classifier: names, scaling, regression, encoders, arrays, strangers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from nissl.annotators.celltypes import arrays, encoder, pretrain
from nissl.annotators.celltypes.axes import MODALITIES
from nissl.annotators.celltypes.curves import CURVE_NAMES, curve_features
from nissl.annotators.celltypes.fitting import balanced
from nissl.annotators.celltypes.member import blank, taught, widened
from nissl.annotators.celltypes.scaling import LIMIT, Scaling, fit_scaling
from nissl.annotators.celltypes.strange import Strange, fit_strange, fitted
from nissl.annotators.celltypes.vocabulary import (
    CEREBELLAR,
    CORTICAL,
    UNKNOWN,
    canonical,
    vocabulary,
)
from nissl.errors import BadArgumentError, MissingInputError
from nissl.nets.softmax import Head, fit_head, softmax

SMALL = {"min_value": -1e3, "max_value": 1e3, "allow_nan": False}


def test_names_of_laboratories_become_one():
    assert {canonical(n) for n in ("Pvalb", "PV+", "parvalbumin", " pv ")} == {"PV"}
    assert canonical("SOM") == canonical("somatostatin") == "SST"
    assert canonical("Axo_Axonic") == canonical("chandelier") == "axo-axonic"
    assert canonical("PkC_ss") == "Purkinje simple spikes"
    assert canonical("my type") == "my type"
    with pytest.raises(BadArgumentError, match="name of a cell type"):
        canonical("  ")


@given(st.text(min_size=1).filter(lambda text: text.strip()))
def test_canonical_names_stay(name):
    assert canonical(canonical(name)) == canonical(name)


def test_unknown_is_always_last_and_colours_differ():
    for each in (CORTICAL, CEREBELLAR, vocabulary(tuple(f"type {k}" for k in range(8)))):
        assert each.names[-1] == UNKNOWN
        assert len(set(each.colours[:-1])) >= min(len(each) - 1, 6)
    assert vocabulary((UNKNOWN, "PV")).names == ("PV", UNKNOWN)


SHAPES = st.tuples(st.integers(0, 4), st.integers(1, 5))


@given(arrays_of.arrays(np.float32, SHAPES, elements=SMALL))
def test_arrays_come_back(array):
    out = arrays.unpack(arrays.pack({"a/b": array, "c": array.T}))
    assert np.array_equal(out["a/b"], array.astype(np.float64))
    assert np.array_equal(out["c"], array.T.astype(np.float64))


def test_damaged_arrays_are_told():
    good = arrays.pack({"a": np.ones(5)})
    for bad in (b"", good[:12], good[:-8], b"\xff" * 40):
        with pytest.raises(BadArgumentError, match="file of arrays"):
            arrays.unpack(bad)


def test_scores_are_those_of_ranks_and_missing_is_the_middle():
    rng = np.random.default_rng(0)
    values = np.exp(rng.normal(size=(500, 2)))
    values[::7, 1] = np.nan
    scaling = fit_scaling(values, ("a", "b"), np.ones(500))
    score = scaling.apply(values)
    assert abs(score[:, 0].mean()) < 0.1
    assert 0.8 < score[:, 0].std() < 1.1
    assert np.all(score[::7, 1] == 0)
    assert np.abs(score).max() <= LIMIT
    order = np.argsort(values[:, 0])
    assert np.all(np.diff(score[order, 0]) >= -1e-12)
    again = Scaling.from_json(scaling.to_json())
    assert np.array_equal(again.apply(values), score)


@given(st.floats(0.1, 10), st.floats(-5, 5))
def test_scores_do_not_depend_on_the_unit(factor, offset):
    values = np.random.default_rng(1).normal(size=(60, 1))
    plain = fit_scaling(values, ("a",), np.ones(60)).apply(values)
    other = values * factor + offset
    assert np.allclose(fit_scaling(other, ("a",), np.ones(60)).apply(other), plain, atol=1e-6)


def test_a_constant_or_unknown_number_says_nothing():
    values = np.stack([np.ones(10), np.full(10, np.nan)], axis=1)
    assert np.all(fit_scaling(values, ("a", "b"), np.ones(10)).apply(values) == 0)


def test_regression_stays_where_it_was_without_evidence():
    before = Head(np.asarray([[1.0, -1.0], [0.0, 2.0]]), np.asarray([0.3, -0.3]))
    x = np.zeros((4, 2))
    found = fit_head(x, np.asarray([0, 1, 0, 1]), np.full(4, 1e-9), 2, before=before)
    assert np.allclose(found.coefficients, before.coefficients, atol=1e-4)


def test_regression_finds_what_separates():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 3, 200)
    x = rng.normal(size=(200, 4)) + 2 * np.eye(4)[label]
    head = fit_head(x, label, np.ones(200), 3)
    p, log_p = softmax(head.scores(x))
    assert np.mean(p.argmax(axis=1) == label) > 0.8
    assert np.allclose(np.exp(log_p), p)


def test_classes_and_animals_count_as_they_should():
    label = np.asarray([0] * 10 + [1] * 2)
    animals = ("a",) * 9 + ("b",) + ("c",) * 2
    weight = balanced(label, animals, np.ones(12))
    assert np.isclose(weight[label == 0].sum(), weight[label == 1].sum())
    assert np.isclose(weight[:9].sum() / weight[9], 3.0)
    assert np.isclose(weight.mean(), 1)


@pytest.mark.parametrize("kind", ["linear", "random"])
def test_slopes_times_inputs_are_what_the_score_moved(kind):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(30, 5))
    label = (x[:, 0] > 0).astype(np.int64)
    member = taught(blank(kind, np.asarray([0, 2, 4]), 2, rng), x, label, np.ones(30))
    moved = member.scores(x) - member.scores(np.zeros_like(x))
    told = np.einsum("nci,ni->nc", member.slopes(x), x)
    assert np.allclose(moved, told, atol=0.05 * np.abs(moved).max())
    assert np.all(member.slopes(x)[:, :, [1, 3]] == 0)
    wide = widened(member, [1, None, 0])
    assert np.allclose(wide.scores(x)[:, [2, 0]], member.scores(x))
    assert np.all(wide.scores(x)[:, 1] == 0)


def test_strangers_are_far_and_known_ones_near():
    rng = np.random.default_rng(0)
    known, far = rng.normal(size=(300, 6)), rng.normal(size=(50, 6)) + 4
    strange = fit_strange(known[:200], np.ones(200))
    held = np.concatenate([strange.distance(known[200:]), strange.distance(far)])
    absent = np.repeat([False, True], [100, 50])
    told = fitted(strange, held, absent, np.ones(150))
    assert told.apply(far).mean() > 0.8
    assert told.apply(known[200:]).mean() < 0.3
    assert told.beyond(far).all()
    assert told.beyond(known[200:]).mean() < 0.1
    again = Strange.from_json(told.to_json())
    assert np.array_equal(again.apply(known), told.apply(known))


def test_curves_tell_a_narrow_spike_from_a_wide_one():
    from nissl.annotators.celltypes.features import featurise_units
    from nissl.annotators.celltypes.inputs import curve
    from nissl.annotators.celltypes.simulate import simulate_units

    cells = simulate_units(0, n_units=10, duration_s=60.0)
    table = featurise_units(cells.units)
    found = curve_features(*(curve(table, n) for n in ("waveform", "acg", "isi")))
    peak = found[:, CURVE_NAMES.index("wave_peak_ms")]
    narrow = [k for k, kind in enumerate(cells.kind) if kind == "PV"]
    wide = [k for k, kind in enumerate(cells.kind) if kind == "pyramidal"]
    assert max(peak[narrow]) < min(peak[wide])
    nothing = curve_features(*(np.full((2, n), np.nan) for n in (61, 100, 100)))
    assert np.isnan(nothing).all()


def some_encoder(size, seed=0):
    rng = np.random.default_rng(seed)
    layers = (
        (rng.normal(size=(2 * size, 8)) * 0.1, rng.normal(size=8) * 0.1),
        (rng.normal(size=(8, 3)), rng.normal(size=3)),
    )
    return encoder.Encoder("waveform", np.zeros(size), np.ones(size), layers)


def test_attributions_of_an_encoder_add_up():
    own = some_encoder(61)
    curve = np.random.default_rng(1).normal(size=(5, 61))
    curve[:, 50:] = np.nan
    direction = np.broadcast_to(np.eye(3), (5, 3, 3))
    moved = own.encode(curve) - own.encode(np.where(np.isfinite(curve), 0.0, np.nan))
    told = own.attributions(curve, direction).sum(axis=1)
    assert np.allclose(told, moved, atol=0.02 * np.abs(moved).max())
    assert np.all(own.attributions(curve, direction)[:, 50:] == 0)


def test_a_curve_of_which_little_is_known_has_no_latents():
    own = some_encoder(61)
    curve = np.full((2, 61), np.nan)
    curve[0, :30] = 0.5
    latents = own.encode(curve)
    assert np.isfinite(latents[0]).all()
    assert np.isnan(latents[1]).all()
    kept = encoder.from_arrays(arrays.unpack(arrays.pack(encoder.to_arrays({"waveform": own}))))
    assert np.allclose(kept["waveform"].encode(curve)[0], latents[0], atol=1e-5)


@pytest.mark.parametrize("modality", list(MODALITIES))
def test_augmented_curves_stay_curves(modality):
    rng = np.random.default_rng(0)
    size = len(MODALITIES[modality])
    if modality == "waveform":
        curve = -np.exp(-0.5 * ((np.arange(size) - 24) / 4.0) ** 2) * np.ones((20, 1))
    else:
        curve = rng.gamma(2.0, size=(20, size))
    other = pretrain.augmented(modality, curve, rng)
    assert other.shape == curve.shape
    assert np.isfinite(other).mean() > 0.5
    if modality == "waveform":
        assert np.all(np.nanmin(other, axis=1) < -0.7)  # polarity is never changed
    else:
        assert np.nanmin(other) >= 0


def test_encoders_learn_what_curves_have_in_common():
    pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    at = np.arange(61)
    width = rng.uniform(2, 6, 120)
    curve = -np.exp(-0.5 * ((at - 24) / width[:, None]) ** 2)
    recipe = pretrain.Recipe(epochs=15, n_latents=2)
    made = [pretrain.pretrain({"waveform": curve}, seed=1, recipe=recipe) for _ in range(2)]
    latents = [each["waveform"].encode(curve) for each in made]
    assert np.array_equal(*latents)
    told = np.linalg.lstsq(np.c_[latents[0], np.ones(120)], width, rcond=None)[0]
    assert np.corrcoef(np.c_[latents[0], np.ones(120)] @ told, width)[0, 1] > 0.9
    with pytest.raises(MissingInputError, match="50 units"):
        pretrain.pretrain({"waveform": curve[:10]})
