"""Confidence of placed neurons."""

from __future__ import annotations

import numpy as np

from nissl.annotators.tracks.confidence import FACTS, confidence, facts, fitted
from nissl.annotators.tracks.naming import Named
from nissl.annotators.tracks.procedure import Followed

N_FRAMES, N = 6, 9


def followed(probability: float, off_um: float = 0.0) -> Followed:
    rng = np.random.default_rng(0)
    xyz = rng.uniform(0, 30, (N, 3))
    blob = np.arange(N)
    named = tuple(
        Named(
            blob,
            np.full(N, probability),
            xyz + np.array([off_um, 0, 0]),
            xyz,
            np.full(N, 0.5),
            -2.0,
        )
        for _ in range(N_FRAMES)
    )
    places = np.stack([each.xyz for each in named]).astype(np.float32)
    agreed = np.full((N_FRAMES, N), np.log(probability), np.float32)
    return Followed(places, named, agreed, {})


def test_what_is_less_probable_or_off_its_neighbours_is_less_sure() -> None:
    good = confidence(followed(0.99))
    assert good.shape == (N_FRAMES, N)
    assert np.all((good > 0) & (good < 1))
    assert np.all(confidence(followed(0.4)) < good)
    assert np.all(confidence(followed(0.99, off_um=4)) < good)


def test_no_place_has_no_confidence_and_an_empty_volume_little() -> None:
    made = followed(0.99)
    made.xyz[2, 3] = np.nan
    assert np.isnan(confidence(made)[2, 3])
    nothing = Named(
        np.full(N, -1),
        np.zeros(N),
        made.named[0].xyz,
        made.named[0].field,
        np.full(N, 5.0),
        -np.inf,
    )
    dark = Followed(made.xyz, (nothing, *made.named[1:]), made.agreed, {})
    assert np.isfinite(facts(dark)).all()
    assert np.nanmax(confidence(dark)[0]) < 0.5


def test_fitting_finds_which_fact_matters() -> None:
    rng = np.random.default_rng(1)
    told = rng.normal(size=(2000, len(FACTS)))
    right = told[:, 2] * 2 + rng.logistic(size=2000) > 0
    weights = np.asarray(fitted(told, right))
    assert np.argmax(np.abs(weights[1:])) == 2
    assert abs(weights[3] - 2) < 0.4
