from __future__ import annotations

import numpy as np
import pytest

from nissl.annotators.names.affine import moved
from nissl.annotators.names.matching import match
from nissl.annotators.names.simulate import random_affine
from nissl.annotators.tracks.simulate import simulate_worm
from nissl.errors import BadArgumentError


def test_neurons_of_a_bending_worm_are_found_again() -> None:
    made = simulate_worm(np.random.default_rng(3), n_neurons=60, n_frames=40)
    xyz = made.positions.in_um(made.volumes.spacing_um)
    rng = np.random.default_rng(0)
    rates = []
    for _ in range(4):
        one, other = rng.choice(40, 2, replace=False)
        a, b = (np.flatnonzero(np.isfinite(xyz[k, :, 0])) for k in (one, other))
        b = rng.permutation(b)[: b.size - 6]
        found = match(xyz[one, a], None, xyz[other, b], None)
        assert np.unique(found.index[found.index >= 0]).size == np.sum(found.index >= 0)
        assert np.all((found.probability >= 0) & (found.probability <= 1))
        said = np.where(found.index >= 0, b[found.index], -1)
        rates.append(np.mean(said[np.isin(a, b)] == a[np.isin(a, b)]))
    assert np.mean(rates) > 0.9


def test_another_orientation_is_tried_when_asked() -> None:
    rng = np.random.default_rng(1)
    points = rng.standard_normal((50, 3)) * (12, 3, 5)
    paint = rng.uniform(50, 500, (50, 3))
    order = rng.permutation(50)
    turned = moved(points, random_affine(rng))[order]
    found = match(turned, paint[order], points, paint, same_pose=False)
    assert np.mean(found.index == order) > 0.95


def test_colours_tell_what_places_do_not() -> None:
    rng = np.random.default_rng(2)
    points = rng.standard_normal((40, 3)) * (12, 3, 5)
    paint = np.exp(rng.standard_normal((40, 3))) * 100
    shaken = points + rng.normal(0, 1.2, points.shape)
    plain = np.mean(match(shaken, None, points, None).index == np.arange(40))
    painted = np.mean(match(shaken, paint * 1.7, points, paint).index == np.arange(40))
    assert painted > plain
    assert painted > 0.9


def test_bad_input_is_refused() -> None:
    points = np.random.default_rng(0).standard_normal((20, 3))
    with pytest.raises(BadArgumentError):
        match(points[:5], None, points, None)
    with pytest.raises(BadArgumentError):
        match(points * np.nan, None, points, None)
    with pytest.raises(BadArgumentError, match="colours"):
        match(points, np.ones((20, 3)), points, np.ones((19, 3)))
