"""Discovery: units that fire seldom are found, and each round looks at its part."""

import numpy as np
import pytest

from nissl.annotators.spikes.own.finding.clustering import steady
from nissl.annotators.spikes.own.finding.discovery import Looked, discover
from nissl.annotators.spikes.own.matching.pieces import Pieces
from nissl.annotators.spikes.own.windows import Windows

RATE_HZ = 15_000.0
WINDOWS = Windows.at(RATE_HZ)
PLACES = np.stack([np.zeros(8), 25.0 * np.arange(8)], axis=1)
GAP = 150


@pytest.fixture(scope="module")
def samples():
    """Stretches of 2.5 s, 90 s in all: two units of 8 spikes a second, and one of 22 spikes."""
    rng = np.random.default_rng(0)
    t = np.arange(WINDOWS.long) - WINDOWS.long_before
    shapes = [
        -np.exp(-0.5 * (t / w) ** 2) + 0.4 * np.exp(-0.5 * ((t - 4 * w) / (2.5 * w)) ** 2)
        for w in (1.6, 2.2, 2.8)
    ]
    apart = np.abs(PLACES[:, 1][None] - np.array([30.0, 140.0, 85.0])[:, None])
    waves = [np.outer(s, 15 * np.exp(-a / 25)) for s, a in zip(shapes, apart, strict=True)]
    length, n = round(2.5 * RATE_HZ), 36
    z = np.zeros((n * (length + GAP), 8), np.float32)
    inside = np.concatenate(
        [np.arange(300, length - 300, 90) + k * (length + GAP) for k in range(n)]
    )
    for k in range(n):
        z[k * (length + GAP) :][:length] = rng.standard_normal((length, 8))
    trains = np.split(rng.permutation(inside), [720, 1440, 1462])[:3]
    for wave, train in zip(waves, trains, strict=True):
        for at in train:
            z[at - WINDOWS.long_before :][: WINDOWS.long] += wave
    return z, [np.sort(train) for train in trains]


def test_a_unit_of_22_spikes_is_found_beside_frequent_ones(samples):
    z, trains = samples
    templates, spikes = discover(z, PLACES, RATE_HZ, np.random.default_rng(1))
    assert sorted(templates.main.tolist()) == [1, 3, 6]
    for main, train in zip((1, 6, 3), trains, strict=True):
        at = spikes.at[spikes.unit == templates.main.tolist().index(main)]
        assert np.mean(np.abs(train[:, None] - at[None]).min(axis=1) <= 2) > 0.9
        assert np.mean(np.abs(at[:, None] - train[None]).min(axis=1) <= 2) > 0.9


def test_a_part_is_evenly_taken_and_whole_pieces(samples):
    z, _ = samples
    whole = Looked(Pieces(z, RATE_HZ), z)
    part = whole.part(30.0)
    assert part.seconds == pytest.approx(30, rel=0.05)
    assert len(part.pieces.edges) == 12
    np.testing.assert_array_equal(part.raw, part.pieces.z)
    assert whole.part(float("inf")) is whole


def test_steady_clusters_are_told_from_mixtures():
    rng = np.random.default_rng(2)
    mean = 12 * rng.standard_normal((1, 3, 4)) / np.sqrt(12)
    same = mean * rng.normal(1, 0.1, (30, 1, 1)) + rng.standard_normal((30, 3, 4))
    mixed = 3.0 * rng.standard_normal((30, 3, 4)) + mean
    labels = np.repeat([0, 1], 30)
    assert steady(np.concatenate([same, mixed]).astype(np.float32), labels).tolist() == [
        True,
        False,
    ]
