"""The shipped screen: pulses on all channels are artifacts, spikes on a few are not."""

from importlib.resources import files

import numpy as np
import pytest

from nissl.annotators.spikes.own.finding.detection import Detected
from nissl.annotators.spikes.own.matching.pursuit import pursue
from nissl.annotators.spikes.own.screen.artifacts import (
    Screen,
    artifact_share,
    compact,
    neuronal,
    shipped,
    silenced,
    without_artifacts,
)
from nissl.annotators.spikes.own.screen.network import CLASSES
from nissl.annotators.spikes.own.templates.templates import Templates
from nissl.annotators.spikes.own.windows import Windows

RATE_HZ = 15_000.0
WINDOWS = Windows.at(RATE_HZ)
N = 16
PLACES = np.stack([20.0 * (np.arange(N) % 2), 20.0 * (np.arange(N) // 2)], axis=1)
SECONDS = 8
ARTIFACT = CLASSES.index("artifact")


def spike_shape():
    t = np.arange(WINDOWS.long) - WINDOWS.long_before
    return -np.exp(-0.5 * (t / 1.8) ** 2) + 0.35 * np.exp(-0.5 * ((t - 8) / 5) ** 2)


def pulse_shape():
    """A white pulse of stimulation: two phases, then a decay."""
    t = np.arange(WINDOWS.long) - WINDOWS.long_before
    out = np.where((t >= -3) & (t < 0), 1.0, 0.0) - np.where((t >= 0) & (t < 3), 1.0, 0.0)
    return out + np.where(t >= 3, 0.5 * np.exp(-(t - 3) / 12), 0)


@pytest.fixture(scope="module")
def made():
    """White samples with two units and pulses at 20 Hz on all channels; and their templates."""
    rng = np.random.default_rng(0)
    n = round(SECONDS * RATE_HZ)
    z = rng.standard_normal((n, N)).astype(np.float32)
    apart = np.linalg.norm(PLACES[:, None] - PLACES[None], axis=2)
    units = [18 * np.exp(-apart[c] / 18) for c in (3, 10)]
    pulses = 25 * (1 + 0.1 * rng.standard_normal(N))
    waves = np.stack(
        [spike_shape()[:, None] * units[0], spike_shape()[:, None] * units[1],
         pulse_shape()[:, None] * pulses]
    ).astype(np.float32)  # fmt: skip
    at = [np.sort(rng.choice(np.arange(100, n - 100, 60), 15 * SECONDS, False)) for _ in range(2)]
    at.append(np.arange(500, n - 200, 750))
    for wave, own in zip(waves, at, strict=True):
        for a in own:
            z[a - WINDOWS.long_before : a - WINDOWS.long_before + WINDOWS.long] += wave
    return z, at, waves


@pytest.fixture(scope="module")
def screen():
    return Screen.on(PLACES, RATE_HZ)


def test_pulses_are_called_artifacts_and_spikes_are_not(made, screen):
    z, at, _ = made
    for own, channel in ((at[0], 3), (at[1], 10)):
        p = screen(z, own, np.full(own.size, channel))
        assert np.mean(p[:, ARTIFACT] > 0.5) < 0.1
    p = screen(z, at[2], np.full(at[2].size, 7))
    assert np.mean(p[:, ARTIFACT] > 0.5) > 0.9


def test_events_that_are_artifacts_are_left_out(made, screen):
    z, at, _ = made
    every = np.concatenate(at)
    channel = np.repeat([3, 10, 7], [own.size for own in at])
    found = Detected(
        every, channel, np.arange(every.size, dtype=np.float32), np.zeros(every.size, np.float32)
    )
    kept = without_artifacts(found, z, screen)
    pulses = at[0].size + at[1].size
    assert np.sum(kept.score >= pulses) < 0.1 * at[2].size
    assert np.sum(kept.score < pulses) > 0.9 * pulses
    none = found.taken(np.zeros(0, np.int64))
    assert without_artifacts(none, z, screen).at.size == 0


def test_units_of_artifacts_are_told(made, screen):
    z, _, waves = made
    scored = waves[:, WINDOWS.lead : WINDOWS.lead + WINDOWS.scored].transpose(0, 2, 1)
    basis = np.linalg.svd(scored.reshape(-1, WINDOWS.scored), full_matrices=False)[2][:6]
    never = np.roll(waves[:1], 5, axis=2)
    every = np.concatenate([waves, never])
    templates = Templates(every, np.ascontiguousarray(basis), np.full(4, 15.0), WINDOWS)
    spikes = pursue(z, templates, RATE_HZ)
    share = artifact_share(templates, spikes, z, screen)
    assert share[2] > 0.8
    assert max(share[0], share[1]) < 0.2
    assert share[3] == 0  # no spikes, so nothing against it
    assert neuronal(templates, spikes, z, screen).tolist() == [True, True, False, True]


def test_artifacts_are_silenced_where_they_are_and_nothing_else(made, screen):
    z, at, _ = made
    quiet = silenced(z, screen)
    assert np.mean(quiet[at[2], 7] == 0) > 0.6
    far = [own[np.abs(own[:, None] - at[2][None]).min(axis=1) > 100] for own in at[:2]]
    assert np.mean(quiet[far[0], 3] != 0) > 0.95
    assert np.mean(quiet[far[1], 10] != 0) > 0.95
    noise = np.random.default_rng(0).standard_normal((3000, N)).astype(np.float32)
    assert silenced(noise, screen) is noise


@pytest.mark.parametrize("places", [PLACES[:4], np.full((N, 2), np.nan), PLACES[:1]])
def test_few_channels_and_unknown_places_are_not_screened(made, places):
    assert Screen.on(places, RATE_HZ) is None
    z = made[0][:3000, : len(places)]
    assert silenced(z, None) is z


def test_weights_are_small_and_have_a_card():
    folder = files("nissl.annotators.spikes.own.screen") / "weights"
    names = {each.name for each in folder.iterdir()}
    assert {"screen.safetensors", "screen-int8.safetensors", "card.json", "CARD.md"} <= names
    assert len((folder / "screen-int8.safetensors").read_bytes()) < 100_000
    assert shipped().n_parameters < 50_000


def test_templates_with_long_tails_are_not_compact(made):
    _, _, waves = made
    scored = waves[:2, WINDOWS.lead : WINDOWS.lead + WINDOWS.scored].transpose(0, 2, 1)
    basis = np.linalg.svd(scored.reshape(-1, WINDOWS.scored), full_matrices=False)[2][:6]
    tail = waves[0].copy()
    tail[WINDOWS.lead + WINDOWS.scored :] = 8
    every = np.stack([waves[0], waves[1], tail])
    templates = Templates(every, np.ascontiguousarray(basis), np.full(3, 15.0), WINDOWS)
    assert compact(templates, np.full(3, 100)).tolist() == [True, True, False]


def test_noise_left_in_the_mean_of_few_spikes_is_no_tail(made):
    _, _, waves = made
    rng = np.random.default_rng(2)
    small = waves[0] / 8 + rng.standard_normal(waves[0].shape) / np.sqrt(15)
    scored = waves[:1, WINDOWS.lead : WINDOWS.lead + WINDOWS.scored].transpose(0, 2, 1)
    basis = np.linalg.svd(scored.reshape(-1, WINDOWS.scored), full_matrices=False)[2][:6]
    templates = Templates(
        small[None].astype(np.float32), np.ascontiguousarray(basis), np.full(1, 1.0), WINDOWS
    )
    assert compact(templates, np.asarray([15])).tolist() == [True]
    assert compact(templates, np.asarray([10**9])).tolist() == [False]
