"""Evidence of spikes against plain counts, and what confidence is made of it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nissl.annotators.spikes.own.confidence.evidence import (
    COLUMNS,
    _crowd,
    crowds,
    evidence,
    evidence_given,
)
from nissl.annotators.spikes.own.confidence.model import MOST, confidences, shipped, terms
from nissl.annotators.spikes.own.confidence.usual import Chance, Usual, chance, usual_of
from nissl.annotators.spikes.own.templates.projection import phases
from nissl.annotators.spikes.own.templates.templates import Templates
from nissl.annotators.spikes.own.windows import Windows

RATE_HZ = 15_000.0
WINDOWS = Windows.at(RATE_HZ)


@pytest.mark.parametrize("share", [0.3, 0.8, 0.99])
def test_chance_events_are_told_from_spikes_by_their_amplitudes(share):
    rng = np.random.default_rng(int(100 * share))
    n = 4000
    real = rng.random(n) < share
    amplitude = np.where(real, rng.normal(1.0, 0.1, n), 0.5 + rng.exponential(0.07, n))
    parameters, found = chance(amplitude, 1.0, 0.2, 0.1)
    odds = Chance(*parameters[:, None]).odds(amplitude, np.zeros(n, np.int64))
    assert found == pytest.approx(share, abs=0.03)
    said = 1 / (1 + np.exp(-odds))
    assert np.mean((said > 0.5) == real) > 0.97
    assert abs(said.mean() - share) < 0.03


@given(st.integers(0, 2**31), st.integers(1, 60))
@settings(max_examples=40, deadline=None)
def test_crowds_are_what_a_plain_search_finds(seed, n):
    rng = np.random.default_rng(seed)
    at = np.sort(rng.uniform(0, 100, n))
    unit = rng.integers(0, 4, n)
    norm = rng.uniform(5, 50, 4)
    overlaps = rng.random((4, 4)) < 0.6
    expected = [
        max(
            (
                norm[unit[j]]
                for j in range(n)
                if unit[j] != unit[i] and overlaps[unit[i], unit[j]] and abs(at[j] - at[i]) <= 5
            ),
            default=0.0,
        )
        for i in range(n)
    ]
    np.testing.assert_allclose(_crowd(at, unit, norm, overlaps, 5.0), expected)


@pytest.fixture(scope="module")
def spikes():
    """A clean large unit, and chance events called a small one: arguments of `evidence`."""
    rng = np.random.default_rng(7)
    t = np.arange(WINDOWS.long) - WINDOWS.long_before
    shape = -np.exp(-0.5 * (t / 2.0) ** 2)
    waves = np.zeros((2, WINDOWS.long, 4), np.float32)
    waves[0, :, 0], waves[1, :, 3] = 12 * shape, 3 * shape
    scored = waves[:, WINDOWS.lead : WINDOWS.lead + WINDOWS.scored].transpose(0, 2, 1)
    every = phases(np.ascontiguousarray(scored)).reshape(-1, WINDOWS.scored)
    basis = np.linalg.svd(every, full_matrices=False)[2][:6].astype(np.float32)
    templates = Templates(waves, np.ascontiguousarray(basis), np.full(2, 10.0), WINDOWS)
    n = 600
    unit = np.repeat([0, 1], n)
    norm = np.sqrt(templates.norms)[unit]
    amplitude = np.where(unit == 0, rng.normal(1, 1 / norm), 0.7 + rng.exponential(0.3, 2 * n))
    gain = np.where(unit == 0, norm**2 / 2 - 8, rng.exponential(4, 2 * n))
    at = rng.uniform(0, 120 * RATE_HZ, 2 * n)
    order = np.argsort(at)
    return (
        at[order],
        unit[order],
        amplitude[order].astype(np.float32),
        gain[order].astype(np.float32),
        np.zeros(2 * n, np.float32),
        templates,
        120.0,
        RATE_HZ,
    )


@pytest.fixture(scope="module")
def rows(spikes):
    return evidence(*spikes), spikes[1]


def test_a_part_of_the_spikes_has_the_evidence_that_it_has_among_all(spikes, rows):
    at, unit, amplitude, gain, rival, templates, seconds, rate_hz = spikes
    crowd = crowds(at, unit, templates, rate_hz)
    usual = usual_of(at, unit, amplitude, crowd, templates, seconds, rate_hz)
    kept = Usual.of_arrays(usual.arrays())
    some = np.arange(300, 340)
    given = (values[some] for values in (unit, amplitude, gain, rival, crowd))
    np.testing.assert_array_equal(evidence_given(*given, templates, kept), rows[0][some])


def test_a_template_without_spikes_has_nothing_unusual(spikes):
    at, unit, amplitude, *_, templates, seconds, rate_hz = spikes
    own = unit == 0
    usual = usual_of(
        at[own], unit[own], amplitude[own], np.zeros(own.sum()), templates, seconds, rate_hz
    )
    assert all(np.isfinite(array).all() for array in usual.arrays().values())
    assert usual.median[1] == 1


def test_evidence_is_finite_and_of_the_unit_where_it_says_so(rows):
    columns, unit = rows
    assert columns.shape == (unit.size, len(COLUMNS))
    assert np.isfinite(columns).all()
    for name in ("norm", "spread", "share", "locked", "refractory", "likeness", "rate"):
        own = columns[unit == 0, COLUMNS.index(name)]
        assert np.ptp(own) == 0
    assert columns[unit == 0, COLUMNS.index("rate")][0] == pytest.approx(np.log(5.0))


def test_a_clean_unit_is_sure_and_chance_is_not(rows):
    columns, unit = rows
    p = confidences(columns)
    assert p.dtype == np.float32
    assert np.all((p >= 0) & (p <= MOST))
    assert np.median(p[unit == 0]) > 0.97
    assert np.median(p[unit == 1]) < 0.7


def test_the_weights_are_a_logistic_model_of_the_columns(rows):
    columns, _ = rows
    held = shipped()
    z = terms(columns[:5], held.middle, held.scale)
    assert z.shape == (5, 2 * len(COLUMNS))
    assert np.all(np.abs(z[:, : len(COLUMNS)]) <= 3)
    plain = 1 / (1 + np.exp(-(z @ held.weight + held.intercept)))
    np.testing.assert_allclose(held(columns[:5]), np.minimum(plain, MOST), rtol=1e-5)
