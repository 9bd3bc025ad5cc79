"""Artifacts are silenced when all is matched; spikes that look like artifacts are not."""

from dataclasses import dataclass

import numpy as np
import pytest

from nissl.annotators.spikes.own.matching.pursuit import pursue
from nissl.annotators.spikes.own.matching.sparing import pursue_screened
from nissl.annotators.spikes.own.screen.artifacts import CLASSES, SURE, artifacts_of, without
from nissl.annotators.spikes.own.templates.templates import Templates
from nissl.annotators.spikes.own.windows import Windows

RATE_HZ = 15_000.0
WINDOWS = Windows.at(RATE_HZ)
PLACES = np.stack([np.zeros(4), 40.0 * np.arange(4)], axis=1)
N = 60_000
T = np.arange(WINDOWS.long) - WINDOWS.long_before
WAVE = (-np.exp(-0.5 * (T / 2.0) ** 2)[:, None] * np.array([6.0, 30.0, 12.0, 2.0])).astype(
    np.float32
)
PULSE = (60 * np.exp(-np.maximum(T, 0) / 6) * (T >= 0))[:, None] * np.ones(4, np.float32)


@dataclass(frozen=True)
class Suspicious:
    """Takes every large event for an artifact."""

    position_um: np.ndarray
    rate_hz: float

    def __call__(self, z, at, channel):
        out = np.zeros((at.size, len(CLASSES)), np.float32)
        out[:, CLASSES.index("artifact")] = 1
        return out


SCREEN = Suspicious(PLACES, RATE_HZ)


@pytest.fixture(scope="module")
def made():
    rng = np.random.default_rng(0)
    z = rng.standard_normal((N, 4)).astype(np.float32)
    at = np.arange(500, N - 500, 300)
    pulses = np.array([10_000, 40_000])
    for a in at:
        z[a - WINDOWS.long_before :][: WINDOWS.long] += WAVE
    for a in pulses:
        z[a - WINDOWS.long_before :][: WINDOWS.long] += PULSE
    lead = WINDOWS.lead
    cut = np.stack([np.roll(WAVE[:, 1], s)[lead : lead + WINDOWS.scored] for s in (-1, 0, 1)])
    basis = np.linalg.svd(cut, full_matrices=False)[2].astype(np.float32)
    templates = Templates(WAVE[None], np.ascontiguousarray(basis), np.array([40.0]), WINDOWS)
    return z, at, pulses, templates


def test_spikes_are_spared_and_pulses_are_not(made):
    z, at, pulses, templates = made
    quiet, spikes = pursue_screened(z, templates, RATE_HZ, SCREEN)
    far = np.abs(at[:, None] - pulses[None]).min(axis=1) > 100
    found = np.abs(at[far][:, None] - spikes.at[None]).min(axis=1) <= 1
    assert found.all()
    assert len(spikes) <= at.size
    assert not quiet[pulses].any()
    silent = np.flatnonzero(~quiet.any(axis=1))
    assert np.abs(silent[:, None] - pulses[None]).min(axis=1).max() < 120


def test_silencing_all_that_looks_like_an_artifact_would_lose_them(made):
    z, at, _, templates = made
    quiet = without(z, SCREEN, *artifacts_of(z, SCREEN, SURE))
    assert len(pursue(quiet, templates, RATE_HZ)) < 0.1 * at.size


def test_without_a_screen_nothing_is_silenced(made):
    z, _, _, templates = made
    same, spikes = pursue_screened(z, templates, RATE_HZ, None)
    assert same is z
    np.testing.assert_array_equal(spikes.at, pursue(z, templates, RATE_HZ).at)
