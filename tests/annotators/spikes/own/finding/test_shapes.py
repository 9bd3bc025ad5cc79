"""Prototypes come at one moment, and spikes of one unit are detected at one moment."""

import numpy as np
import pytest

from nissl.annotators.spikes.own.finding.detection import footprints, matched
from nissl.annotators.spikes.own.finding.shapes import in_step, learn_shapes
from nissl.annotators.spikes.own.preprocessing.whitening import neighbours
from nissl.annotators.spikes.own.templates.projection import shifted
from nissl.annotators.spikes.own.windows import Windows

RATE_HZ = 15_000.0
WINDOWS = Windows.at(RATE_HZ)
POSITION = np.column_stack([np.zeros(8), 20.0 * np.arange(8)])
N = 90_000


def wave(width, main, size):
    t = np.arange(WINDOWS.long) - WINDOWS.long_before
    shape = -np.exp(-0.5 * (t / width) ** 2) + 0.4 * np.exp(-0.5 * ((t - 7) / (2 * width)) ** 2)
    return (size * shape[:, None] * np.exp(-np.abs(np.arange(8) - main) / 1.2)).astype(np.float32)


@pytest.fixture(scope="module")
def recorded():
    rng = np.random.default_rng(5)
    z = rng.standard_normal((N, 8)).astype(np.float32)
    times = [], []
    for unit, (width, main) in enumerate([(1.5, 1), (3.0, 6)]):
        template = wave(width, main, 25.0)
        for at in np.arange(300 + 40 * unit, N - 300, 230):
            shift = rng.uniform(-0.5, 0.5)
            late = shifted(np.ascontiguousarray(template.T), shift).T
            z[at - WINDOWS.long_before :][: WINDOWS.long] += late
            times[unit].append(at + shift)
    return z, [np.asarray(each) for each in times]


def test_spikes_of_a_unit_are_detected_at_one_moment(recorded):
    z, times = recorded
    shapes = learn_shapes(z, POSITION, RATE_HZ, WINDOWS, np.random.default_rng(0))
    assert shapes is not None
    np.testing.assert_allclose(shapes.basis @ shapes.basis.T, np.eye(6), atol=1e-4)
    near = neighbours(POSITION, 100.0)
    found = matched(
        z, shapes.basis, shapes.prototypes, footprints(POSITION), near, 15.0, WINDOWS.before, 8
    )
    exact = found.at + found.shift
    for true in times:
        late = exact[:, None] - true[None]
        own = late[np.abs(late) < 8]
        assert own.size >= 0.95 * true.size
        spread = np.subtract(*np.percentile(own, [84, 16])) / 2
        assert spread < 0.12  # samples; 0.29 without parts of samples


def test_prototypes_that_differ_by_their_moment_are_one():
    basis = np.eye(40, dtype=np.float32)
    t = np.arange(40)
    shape = -np.exp(-0.5 * ((t - 18) / 2.0) ** 2) + 0.3 * np.exp(-0.5 * ((t - 24) / 4.0) ** 2)
    other = -np.exp(-0.5 * ((t - 21) / 5.0) ** 2)
    moved = np.stack([shape, np.roll(shape, 2), np.roll(shape, -3), other]).astype(np.float32)
    kept = in_step(moved, basis)
    assert len(kept) == 2
    np.testing.assert_allclose(np.linalg.norm(kept, axis=1), 1, atol=1e-5)
    assert abs(int(np.argmin(kept[1])) - 18) <= 1  # as the first one


def test_noise_has_no_shapes():
    z = np.random.default_rng(1).standard_normal((20_000, 8)).astype(np.float32)
    assert learn_shapes(z, POSITION, RATE_HZ, WINDOWS, np.random.default_rng(0)) is None
