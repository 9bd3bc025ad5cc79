"""Partners of cells on simulated days with known turnover."""

import numpy as np
import pytest

from nissl.align.cells.fields import Registration, register
from nissl.align.cells.matching import aligned, match, moved, near_pairs
from nissl.align.cells.simulate import two_days
from nissl.align.links import LINKED, links
from nissl.align.mixture import posterior
from nissl.annotators.cells.footprints import Footprints
from nissl.errors import BadArgumentError
from nissl.labels import Author, Kind, Provenance
from nissl.trust.reliability import reliability


def still(shape):
    return Registration(np.eye(2), np.zeros(2), np.zeros((2, *shape)), 1.0, 1.0)


@pytest.fixture(scope="module")
def days():
    return [two_days(np.random.default_rng(s), size_px=256, n_cells=160, turnover=t)
            for s, t in ((1, 0.2), (2, 0.4), (3, 0.6))]  # fmt: skip


@pytest.fixture(scope="module")
def found(days):
    return [aligned(*d.cells, register(*d.images)) for d in days]


def is_pair(day, matches):
    truth = set(map(tuple, day.pairs.tolist()))
    both = zip(matches.pairs.a.tolist(), matches.pairs.b.tolist(), strict=True)
    return np.array([pair in truth for pair in both])


def test_few_matches_are_false_and_few_are_missed(days, found):
    for day, (matches, _) in zip(days, found, strict=True):
        right = is_pair(day, matches)[matches.chosen]
        assert right.mean() > 0.96
        assert right.sum() > 0.9 * len(day.pairs)
        assert len(set(matches.pairs.a[matches.chosen].tolist())) == matches.chosen.size
        assert len(set(matches.pairs.b[matches.chosen].tolist())) == matches.chosen.size


def test_probabilities_are_calibrated(days, found):
    p = np.concatenate([m.same for m, _ in found])
    truth = np.concatenate([is_pair(d, m) for d, (m, _) in zip(days, found, strict=True)])
    told = reliability(np.maximum(p, 1 - p), (p > 0.5) == truth, rng=np.random.default_rng(0))
    assert told.ece < 0.02
    assert abs(p.sum() - truth.sum()) < 0.03 * truth.sum()


def test_partners_and_absence_sum_to_one(days, found):
    for day, (matches, _) in zip(days, found, strict=True):
        total = np.bincount(matches.pairs.a, matches.same, minlength=len(day.cells[0]))
        known = ~np.isnan(matches.absent_a)
        assert np.allclose((total + matches.absent_a)[known], 1)
        absent = np.concatenate([matches.absent_a, matches.absent_b])
        assert np.nanmin(absent) >= -1e-9


def test_the_same_day_twice_matches_itself(days):
    cells = days[0].cells[0]
    matches = match(cells, cells, still((256, 256)))
    assert np.array_equal(matches.pairs.a[matches.chosen], matches.pairs.b[matches.chosen])
    assert matches.chosen.size > 0.98 * len(cells)


def test_unrelated_days_share_little(days):
    pictures = register(days[0].images[0], days[1].images[0])
    matches, _ = aligned(days[0].cells[0], days[1].cells[0], pictures)
    assert matches.chosen.size < 0.05 * len(days[0].cells[0])


def test_cells_beyond_the_edge_have_no_say(days):
    cells = days[0].cells[0]
    away = Registration(np.eye(2), np.array([0.0, 60.0]), np.zeros((2, 256, 256)), 1.0, 1.0)
    there, rows = moved(cells, away)
    assert len(there) == rows.size < len(cells)
    matches = match(cells, cells, away)
    left = cells.centres()[:, 2] > 200
    assert np.isnan(matches.absent_a[left]).all()


def test_too_few_cells_and_volumes_are_refused(days):
    cells = days[0].cells[0]
    with pytest.raises(BadArgumentError, match="at least"):
        match(cells.take(np.arange(5)), cells, still((256, 256)))
    volume = Footprints.build((2, 30, 30), [np.arange(5)])
    with pytest.raises(BadArgumentError, match="plane"):
        moved(volume, still((30, 30)))


def test_no_near_pairs_is_no_error():
    none = np.zeros((5, 3))
    assert posterior(np.zeros((0, 3)), none, none, 1.0, 10).size == 0
    one = Footprints.build((1, 20, 20), [np.arange(4)])
    assert len(near_pairs(one, one, 3.0, within=True)) == 0


def test_links_carry_the_calls_and_what_they_rest_on(days, found):
    day, (matches, registration) = days[1], found[1]
    made = Provenance("cells", "f" * 64, Author("model", "x", "1"), "movie")
    sets = [cells.to_labels(made, item=np.arange(len(cells)) + 100) for cells in day.cells]
    labels, items = links(matches, *sets, registration=registration, cells=day.cells)
    assert labels.kind is Kind.LINKS
    assert labels.vocabulary == LINKED
    same = labels.column("label") == 0
    assert same.sum() == matches.chosen.size
    assert np.all(labels.column("confidence")[same] > 0.5)
    assert labels.column("a").min() >= 100
    assert labels.provenance.targets == (sets[0].digest, sets[1].digest)
    assert items.of == labels.digest
    assert len(items.context["absent_a"]) == len(day.cells[0])


AMBIGUOUS = {"size_px": 224, "n_cells": 210, "jitter_px": 1.8, "bend_px": 5.0, "turnover": 0.4}


def badly_registered(seed, **how):
    """A dense field of which the registration is off by some pixels."""
    day = two_days(np.random.default_rng(seed), **AMBIGUOUS, shift_px=0.0, degrees=0.0, **how)
    return day, still((224, 224))


def log_loss(day, matches):
    right, p = is_pair(day, matches), np.clip(matches.same, 1e-6, 1 - 1e-6)
    return -np.mean(np.where(right, np.log(p), np.log(1 - p)))


def f1(day, matches):
    right = is_pair(day, matches)[matches.chosen].sum()
    return 2 * right / (matches.chosen.size + len(day.pairs))


def test_activity_helps_where_place_and_shape_are_ambiguous():
    gain = []
    for seed in range(10, 14):
        day, registration = badly_registered(seed)
        without = match(*day.cells, registration)
        both = match(*day.cells, registration, day.activity)
        gain.append(
            (log_loss(day, without) - log_loss(day, both), f1(day, both) - f1(day, without))
        )
    assert np.mean(gain, axis=0)[0] > 0.01
    assert np.mean(gain, axis=0)[1] > 0.01


@pytest.mark.parametrize("about", [{"changed": 1.0}, {"alike": 0.0}])
def test_activity_that_changed_does_no_harm(about):
    for seed in range(10, 14):
        day, registration = badly_registered(seed, **about)
        without = match(*day.cells, registration)
        both = match(*day.cells, registration, day.activity)
        assert log_loss(day, both) < log_loss(day, without) + 0.01
        assert f1(day, both) > f1(day, without) - 0.01


def test_activity_that_is_not_known_says_nothing(days):
    day = days[1]
    registration = register(*day.images)
    unknown = tuple(np.full((len(cells), 4), np.nan) for cells in day.cells)
    plain, told = (match(*day.cells, registration, each) for each in (None, unknown))
    assert np.allclose(plain.same, told.same)
