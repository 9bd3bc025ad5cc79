"""The sorter on a stream: what it tells is what it finds offline, with bounded memory."""

import numpy as np
import pytest
from tests.annotators.spikes.own.planted import (
    AFTER,
    BEFORE,
    N_CHANNELS,
    NOISE_UV,
    front,
    planted,
    template,
    templates,
    wave,
)

from nissl.annotators.spikes.own.live import stream as streaming
from nissl.annotators.spikes.own.live.stream import SpikeStream, beginnings
from nissl.annotators.spikes.own.live.white_stream import WhiteStream
from nissl.annotators.spikes.own.matching.pursuit import pursue
from nissl.annotators.spikes.own.preprocessing.front import ARTIFACT_SD, white
from nissl.annotators.spikes.own.templates.templates import Templates, without_noise
from nissl.live.latency import matched

BLOCK = 30


def told(stream, x, block=BLOCK):
    parts = [stream.push(x[a : a + block]) for a in range(0, len(x), block)]
    return [np.concatenate([getattr(p, k) for p in parts]) for k in ("sample", "unit", "amplitude")]


def offline(signal):
    z = white(signal, front(), signal.clock.segments[0], 0, signal.n_samples)
    found = pursue(z, templates(), front().rate_hz)
    exact = (found.at + found.shift.astype(np.float64)) * front().band.step
    return np.round(exact).astype(np.int64) - front().delay, found.unit


def agreement(one, other, tolerance):
    """Spikes of the same unit, no farther apart than the tolerance."""
    return sum(
        matched(np.sort(one[0][one[1] == u]), np.sort(other[0][other[1] == u]), tolerance)
        for u in range(len(templates()))
    )


@pytest.mark.parametrize("rate", [20.0, 60.0])
def test_spikes_are_those_found_offline(rate):
    signal = planted(rate=rate).signal
    live = told(SpikeStream(front(), templates()), signal.read(0, signal.n_samples))
    file = offline(signal)
    most = max(live[0].size, file[0].size)
    assert most > 4 * 5 * rate
    assert agreement(live, file, 1) >= 0.985 * most
    assert agreement(live, file, 3) >= 0.995 * most


def test_white_samples_are_those_of_a_file():
    signal = planted().signal
    x = signal.read(0, 30_000)
    stream = WhiteStream(front())
    live = np.concatenate([stream.push(x[a : a + 7]) for a in range(0, len(x), 7)])
    file = white(signal, front(), signal.clock.segments[0], 0, 30_000)
    np.testing.assert_allclose(live, file, atol=1e-3)
    assert stream.n == len(live)


def test_nothing_is_told_later_than_said_nor_twice():
    signal = planted().signal
    stream = SpikeStream(front(), templates())
    x = signal.read(0, 60_000)
    seen = []
    for a in range(0, len(x), BLOCK):
        spikes = stream.push(x[a : a + BLOCK])
        assert np.all(spikes.sample >= a - stream.delay)
        assert np.all(spikes.sample < a + BLOCK)
        seen += list(zip(spikes.sample.tolist(), spikes.unit.tolist(), strict=True))
    assert len(set(seen)) == len(seen) > 100


def test_what_is_kept_does_not_grow():
    signal = planted().signal
    x = signal.read(0, signal.n_samples)
    stream = SpikeStream(front(), templates())
    sizes = []
    for a in range(0, len(x), BLOCK):
        stream.push(x[a : a + BLOCK])
        sizes.append((len(stream._z), stream._scores.shape[1], len(stream._recent)))
    assert np.max(sizes, axis=0).tolist()[:2] == [
        templates().windows.scored - 1,
        max(s[1] for s in sizes[:100]),
    ]
    assert max(s[2] for s in sizes) < 20


def test_a_new_segment_knows_nothing_of_the_one_before():
    x = planted().signal.read(0, 45_000)
    stream = SpikeStream(front(), templates())
    first = told(stream, x)
    stream.reset()
    again = told(stream, x)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)


def test_artifacts_and_missing_samples_tell_nothing():
    signal = planted().signal
    x = signal.read(0, 60_000).copy()
    x[20_000:20_300] += 50_000.0
    live = told(SpikeStream(front(), templates()), x)
    assert not np.any((live[0] > 19_980) & (live[0] < 20_350))
    whole = told(SpikeStream(front(), templates()), signal.read(0, 60_000))
    after = live[0] > 22_000
    assert after.sum() == pytest.approx(np.sum(whole[0] > 22_000), abs=2)
    missing = np.zeros((BLOCK, N_CHANNELS), bool)
    missing[3, :4] = True
    stream = WhiteStream(front())
    z = stream.push(x[:BLOCK], missing)
    assert not z[:, :4].any()
    assert z[:, 4:].any()
    later = [stream.push(x[a : a + BLOCK]) for a in range(BLOCK, 10 * BLOCK, BLOCK)]
    assert not later[1][:, :4].any()
    assert later[-1][:, :4].any()
    assert np.abs(later[-1]).max() < ARTIFACT_SD


def test_silence_tells_nothing():
    noise = np.random.default_rng(1).normal(0, 10, (60_000, N_CHANNELS)).astype(np.float32)
    assert told(SpikeStream(front(), templates()), noise)[0].size <= 2
    stream = SpikeStream(front(), templates())
    assert stream.push(noise[:0]).sample.size == 0
    assert all(stream.push(noise[k : k + 1]).sample.size == 0 for k in range(100))


@pytest.fixture(scope="module")
def large_and_small():
    """Spikes of a small unit, and of one whose beginning looks like it: samples, templates, at."""
    rng, n, size = np.random.default_rng(5), 240_000, (1.0, 10.0)
    x = rng.normal(0, NOISE_UV, (n, N_CHANNELS))
    at = np.arange(600, n - 900, 900) + rng.integers(0, 400, (n - 1500 + 899) // 900)
    for k, a in enumerate(at):
        x[a - BEFORE : a + AFTER] += size[k % 2] * wave(k % 2)
    waves = without_noise(np.stack([size[u] * template(u) for u in range(2)]))
    held = templates()
    return x.astype(np.float32), Templates(waves, held.basis, np.full(2, 16.0), held.windows), at


def test_beginnings_of_large_spikes_are_not_told_as_small_ones(large_and_small, monkeypatch):
    x, known, at = large_and_small
    waiting = told(SpikeStream(front(), known), x, 75)
    small = np.sort(waiting[0][waiting[1] == 0])
    assert small.size <= 1.01 * at[::2].size
    assert matched(small, at[::2], 12) >= 0.99 * at[::2].size
    monkeypatch.setattr(streaming, "MARGIN", 0.0)  # nobody waits
    hasty = told(SpikeStream(front(), known), x, 75)
    assert np.sum(hasty[1] == 0) > 1.08 * at[::2].size


def test_large_spikes_do_not_wait_for_it(large_and_small, monkeypatch):
    x, known, _ = large_and_small
    waiting = SpikeStream(front(), known)
    monkeypatch.setattr(streaming, "MARGIN", 0.0)
    hasty = SpikeStream(front(), known)
    late = []
    for each in (waiting, hasty):
        parts = [(a + 75, each.push(x[a : a + 75])) for a in range(0, len(x), 75)]
        late.append([known_at - s for known_at, p in parts for s in p.sample[p.unit == 1].tolist()])
    assert late[0] == late[1]
    assert len(late[0]) > 100


def test_scores_of_beginnings_are_those_of_echoes(large_and_small):
    _, known, _ = large_and_small
    most = beginnings(known, 15)
    start, columns = known.pairs
    for u in range(2):
        rows = [q for q in range(start[-1]) if columns[q] == u]
        assert most[u] == known.echoes[rows, :, : known.reach - 15].max()
    np.testing.assert_array_equal(beginnings(known, 10_000), 0)
