from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.signal import detrend

from nissl.annotators.tracks.positions import Positions
from nissl.annotators.tracks.simulate import Worm, simulated
from nissl.annotators.tracks.simulate.worm import stage_of
from nissl.annotators.tracks.traces import Light, measure, ratio, separated
from nissl.annotators.tracks.volumes import Volumes
from nissl.data import Movie
from nissl.errors import BadArgumentError, BadMetadataError
from nissl.run.context import Context

pytest.importorskip("numba")

RATE_HZ = 5.0
SPACING_UM = (1.5, 0.5, 0.5)


def process(rng: np.random.Generator, n: int, sd: float, seconds: float) -> np.ndarray:
    a = np.exp(-1 / (seconds * RATE_HZ))
    steps = rng.standard_normal(n) * sd * np.sqrt(1 - a * a)
    out = np.zeros(n)
    for t in range(1, n):
        out[t] = a * out[t - 1] + steps[t]
    return out


def light(n: int = 900, neurons: int = 12) -> tuple[Light, np.ndarray, np.ndarray]:
    """Even neurons are silent; all move, bleach and are noisy."""
    rng = np.random.default_rng(0)
    motion = np.stack([process(rng, n, 0.15, 1.0) for _ in range(neurons)], 1)
    activity = np.stack([process(rng, n, 0.4, 3.0) for _ in range(neurons)], 1)
    activity[:, ::2] = 0
    fade = np.exp(-np.arange(n)[:, None] / 2000)
    red = 300 * fade * (1 + motion + 0.08 * rng.standard_normal(motion.shape))
    green = 200 * fade * (1 + motion + activity + 0.08 * rng.standard_normal(motion.shape))
    red[100:120, 1], green[100:120, 1] = np.nan, np.nan
    return Light(red, green, np.arange(neurons), RATE_HZ), motion, activity


def test_a_silent_neuron_does_not_follow_motion_and_an_active_one_follows_itself(
    tmp_path: Path,
) -> None:
    seen, motion, activity = light()
    found = separated(seen, Context(tmp_path))
    by_ratio = ratio(seen)
    for k in range(0, 12, 2):
        assert found.activity[:, k].std() < 0.05
        assert abs(np.mean(found.activity[:, k] * motion[:, k])) < 0.1 * motion[:, k].var()
    active = np.arange(3, 12, 2)
    ours = [np.corrcoef(found.activity[:, k], activity[:, k])[0, 1] for k in active]
    theirs = [np.corrcoef(by_ratio[:, k], activity[:, k])[0, 1] for k in active]
    assert np.median(ours) > 0.85
    assert np.median(ours) > np.median(theirs)
    assert np.nanstd(by_ratio[:, ::2]) > 3 * found.activity[:, ::2].std()


def test_motion_that_green_shows_less_of_is_no_activity(tmp_path: Path) -> None:
    """As where neighbours whose light moves otherwise shine into green more than into red."""
    seen, motion, _ = light()
    green = 0.75 * seen.green + 0.25 * np.nanmean(seen.green, axis=0)
    found = separated(Light(seen.red, green, seen.items, RATE_HZ), Context(tmp_path))
    for k in range(0, 12, 2):
        left = np.polyfit(motion[:, k], found.activity[:, k], 1)[0]
        assert abs(left) < 0.05  # of the quarter that a gain of one would leave


def test_where_a_neuron_was_not_seen_it_is_less_sure(tmp_path: Path) -> None:
    seen, _, activity = light()
    found = separated(seen, Context(tmp_path))
    gone, there = found.sd[105:115, 1], found.sd[200:800, 1]
    assert gone.min() > 1.5 * np.median(there)
    # slow activity goes with the slow course, and that is part of what is not known
    off = np.abs(found.activity - activity)[:, 1::2]
    said = found.sd[:, 1::2]
    known = np.isfinite(seen.green[:, 1::2])
    assert 0.9 <= np.mean(off[known] <= 1.96 * said[known]) <= 1.0
    assert 0.8 <= np.sqrt(np.mean(off[known] ** 2) / np.mean(said[known] ** 2)) <= 1.2
    assert np.isnan(ratio(seen)[110, 1])


def movie(n_frames: int = 4) -> tuple[Volumes, Positions]:
    """Two neurons, bright and dim, on a ground of 20; the second leaves."""
    z, y, x = np.mgrid[:8, :40, :60]
    frames = np.full((2, n_frames, 8, 40, 60), 20.0)
    xyz = np.full((n_frames, 2, 3), np.nan)
    for t in range(n_frames):
        for k, (centre, peaks) in enumerate(
            (((15 + t, 20, 3), (100, 50)), ((45, 25, 4), (40, 80 + 40 * t)))
        ):
            if k == 1 and t == 3:
                continue
            far = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 + ((z - centre[2]) * 3) ** 2
            for channel, peak in enumerate(peaks):
                frames[channel, t] += peak * np.exp(-far / 18)
            xyz[t, k] = centre
    channels = tuple(
        Movie.from_array(f.astype(np.float32), RATE_HZ, name=name, spacing_um=SPACING_UM)
        for f, name in zip(frames, ("red", "green"), strict=True)
    )
    return Volumes(channels), Positions.build(np.arange(n_frames), xyz, items=[4, 9])


def test_light_is_that_of_the_neuron_above_its_ground(tmp_path: Path) -> None:
    volumes, positions = movie()
    seen = measure(volumes, positions, Context(tmp_path))
    assert seen.items.tolist() == [4, 9]
    np.testing.assert_allclose(seen.red[:, 0] / seen.green[:, 0], 2.0, rtol=0.02)
    np.testing.assert_allclose(seen.green[:3, 1] / seen.green[0, 1], [1, 1.5, 2], rtol=0.02)
    assert np.isnan(seen.red[3, 1])


def test_one_channel_or_no_spacing_is_told(tmp_path: Path) -> None:
    volumes, positions = movie()
    with pytest.raises(BadArgumentError, match="two channels"):
        measure(Volumes(volumes.channels[:1]), positions, Context(tmp_path))
    flat = tuple(Movie.from_array(m.read(), RATE_HZ, name=m.name) for m in volumes.channels)
    with pytest.raises(BadMetadataError, match="size of a voxel"):
        measure(Volumes(flat), positions, Context(tmp_path))


@pytest.mark.slow
def test_silent_neurons_of_a_simulated_worm_keep_little_of_its_motion(tmp_path: Path) -> None:
    """The figures of the manual are those of seeds 101 to 103."""
    worm = Worm(seed=101, n_neurons=60, n_frames=500)
    made, stage = simulated(worm), stage_of(worm)
    seen = measure(made.volumes, made.positions, Context(tmp_path))
    found, by_ratio = separated(seen, Context(tmp_path)).activity, ratio(seen)
    shines = detrend(np.log(stage.light[0][:, :60]).astype(float), axis=0)
    left: list[list[float]] = [[], []]
    follows: list[list[float]] = [[], []]
    for k in range(60):
        known = np.isfinite(by_ratio[:, k])
        for which, values in enumerate((found, by_ratio)):
            change = values[known, k]
            if stage.activity[:, k].any():
                follows[which].append(np.corrcoef(change, stage.activity[known, k])[0, 1])
            else:
                left[which].append(abs(np.polyfit(shines[known, k], change, 1)[0]))
    assert np.median(left[0]) < 0.05 < np.median(left[1])
    assert np.median(follows[0]) > np.median(follows[1])
