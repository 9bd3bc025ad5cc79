"""What a recording teaches: units that have several templates are told as one, as offline."""

from dataclasses import replace

import numpy as np
import pytest
from tests.annotators.spikes.own.planted import NOISE_UV, RATE_HZ, front, template, wave

from nissl.annotators.spikes.adapters import NISSL
from nissl.annotators.spikes.own import sorter
from nissl.annotators.spikes.own.confidence.model import LEAST_CONFIDENCE
from nissl.annotators.spikes.own.live import teaching
from nissl.annotators.spikes.own.matching import pursuit_on
from nissl.annotators.spikes.own.sorter import Fitted
from nissl.annotators.spikes.own.templates.projection import phases
from nissl.annotators.spikes.own.templates.templates import Templates, without_noise
from nissl.annotators.spikes.own.windows import Windows
from nissl.annotators.spikes.simulate import simulate_truth
from nissl.data import Recording, Signal
from nissl.data.channels import ChannelTable
from nissl.errors import BadArgumentError
from nissl.live import StreamInfo, live_method, offline
from nissl.live.latency import matched
from nissl.run.context import Context
from nissl.tasks import Inputs

SECONDS = 12.0
SMALL = 0.5
PIECES = ((0, 1.0), (2, 1.0), (0, SMALL))
"""True unit and size of the three templates; the first and the last are of one unit."""


def recording():
    """Two units, every other spike of the first one half as large."""
    rng, n = np.random.default_rng(3), round(SECONDS * RATE_HZ)
    x = rng.normal(0, NOISE_UV, (n, wave(0).shape[1]))
    at = np.arange(600, n - 900, 700) + rng.integers(0, 300, (n - 1500 + 699) // 700)
    for k, a in enumerate(at):
        unit, size = PIECES[k % 3]
        x[a - 30 : a + 75] += 2.0 * size * rng.normal(1, 0.03) * wave(unit)
    return Signal.from_array(x.astype(np.float32), RATE_HZ)


def fitted():
    windows = Windows.at(front().rate_hz)
    waves = without_noise(np.stack([2.0 * size * template(unit) for unit, size in PIECES]))
    cut = waves[:, windows.lead : windows.lead + windows.scored].transpose(0, 2, 1)
    every = phases(np.ascontiguousarray(cut)).reshape(-1, windows.scored)
    basis = np.linalg.svd(every, full_matrices=False)[2][:6].astype(np.float32)
    templates = Templates(waves, np.ascontiguousarray(basis), np.full(3, 14.0), windows)
    return Fitted(front(), templates, np.asarray([0, 1, 0]))


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """What the stream says, what is said offline, and what was taught."""
    folder, signal = tmp_path_factory.mktemp("teaching"), recording()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorter, "fit", lambda *_: fitted())
        patch.setattr(teaching, "fit", lambda *_: fitted())
        held = Recording(None, "memory", {signal.name: signal})
        inputs = Inputs(held, signal.name)
        (labels,) = NISSL.annotate(inputs, NISSL.defaults(), Context(folder / "a")).labels
        known = teaching.teach(signal, "f", NISSL.defaults(), Context(folder / "b"))
    method = live_method("spikes", StreamInfo.of(signal), {"follow": False}, learnt=known)
    return offline(method, signal), labels, known


def test_units_are_looked_for_and_matched_on_the_device_that_is_asked_for(tmp_path, monkeypatch):
    pytest.importorskip("torch", reason="pip install 'nissl[train]'")
    monkeypatch.setattr(teaching, "fit", lambda *a: replace(fitted(), device=a[-1]))
    used, on = [], pursuit_on.pursue_on
    monkeypatch.setattr(pursuit_on, "pursue_on", lambda *a: used.append(a[-1]) or on(*a))
    parameters = {**NISSL.defaults(), "device": "torch:cpu"}
    known = teaching.teach(recording(), "f", parameters, Context(tmp_path))
    assert known.n_units == 2
    assert set(used) == {"torch:cpu"}
    with pytest.raises(BadArgumentError, match="device among"):
        teaching.teach(recording(), "f", {**parameters, "device": "tpu"}, Context(tmp_path))


def test_pieces_of_a_unit_are_told_as_one_with_its_number_offline(both):
    said, labels, known = both
    (shank,) = known.shanks
    assert shank.number.tolist() == [0, 1, 0]
    assert known.n_units == 2
    live = np.asarray([c.start for c in said]), np.asarray([c.unit for c in said])
    file = labels.column("sample"), labels.column("item")
    assert set(live[1].tolist()) == set(file[1].tolist()) == {0, 1}
    for unit, share in ((0, 2 / 3), (1, 1 / 3)):
        a, b = (np.sort(sample[item == unit]) for sample, item in (live, file))
        assert b.size == pytest.approx(share * SECONDS * RATE_HZ / 700, rel=0.05)
        assert matched(a, b, 1) >= 0.98 * max(a.size, b.size)


def test_amplitudes_of_pieces_are_their_own(both):
    said, labels, known = both
    sizes = known.shanks[0].amplitude_uv
    assert sizes[2] / sizes[0] == pytest.approx(SMALL, rel=0.1)
    live = np.sort([c.amplitude for c in said if c.unit == 0])
    file = np.sort(labels.column("amplitude")[labels.column("item") == 0])
    np.testing.assert_allclose(
        np.percentile(live, [10, 25, 75, 90]), np.percentile(file, [10, 25, 75, 90]), rtol=0.12
    )


def test_confidences_are_those_of_offline(both):
    said, labels, _ = both
    sample, item = labels.column("sample"), labels.column("item")
    file = {(s, u): p for s, u, p in zip(sample, item, labels.column("confidence"), strict=True)}
    apart = [abs(c.confidence - file[place]) for c in said if (place := (c.start, c.unit)) in file]
    assert len(apart) > 0.95 * sample.size
    assert np.percentile(apart, 95) < 0.002
    assert np.mean(apart) < 0.002
    assert min(c.confidence for c in said) >= LEAST_CONFIDENCE


@pytest.fixture(scope="module")
def moving(tmp_path_factory):
    """Tissue that drifts by 30 um: what its first 22 s taught, the other 38 s, and their truth."""
    made = simulate_truth(136, n_channels=16, n_units=8, duration_s=60.0, drift="rigid")
    signal, truth = made.recording.signal, made.truth
    x, cut = signal.read(0, signal.n_samples), 22 * 30_000
    table = ChannelTable.plain(16, position_um=signal.channels.position_um)
    first, then = (Signal.from_array(part, RATE_HZ, channels=table) for part in (x[:cut], x[cut:]))
    context = Context(tmp_path_factory.mktemp("moving"))
    known = teaching.teach(first, "f", NISSL.defaults(), context)
    late = truth.column("sample") >= cut
    return known, then, truth.column("sample")[late] - cut, truth.column("item")[late]


def agreement(claims, sample, unit):
    """Mean accuracy over true units, each with the unit that is most like it."""
    start, told = (np.asarray([getattr(c, n) for c in claims]) for n in ("start", "unit"))
    best = []
    for u in np.unique(unit):
        true, own = np.sort(sample[unit == u]), [np.sort(start[told == v]) for v in np.unique(told)]
        hits = [matched(s, true, 15) for s in own]
        best.append(max(h / (s.size + true.size - h) for h, s in zip(hits, own, strict=True)))
    return float(np.mean(best))


def test_the_stream_begins_where_the_tissue_stood_and_goes_with_it(moving):
    known, then, sample, unit = moving
    (shank,) = known.shanks
    assert known.range_um > 8
    assert np.abs(shank.moved_um).min() > 8
    still = replace(known, shanks=(replace(shank, moved_um=np.zeros(16)),))
    soon = sample < 6 * RATE_HZ
    early, all_of_it = [], []
    for taught, drift in ((still, False), (known, False), (known, True)):
        method = live_method("spikes", StreamInfo.of(then), {"drift": drift}, learnt=taught)
        said = offline(method, then)
        first = [c for c in said if c.start < 6 * RATE_HZ]
        early.append(agreement(first, sample[soon], unit[soon]))
        all_of_it.append(agreement(said, sample, unit))
    assert early[1] > early[0] + 0.02
    assert all_of_it[2] > max(all_of_it[:2]) + 0.03


def test_where_the_tissue_is_held_to_stand_is_where_it_is(moving):
    known, then, *_ = moving
    method = live_method("spikes", StreamInfo.of(then), learnt=known)
    x = then.read(0, round(20 * RATE_HZ))
    method.push(x, 0)
    assert method.moved_um[0] == pytest.approx(-30.0, abs=8.0)  # from one end to the other


def test_a_template_without_a_spike_of_its_own_is_not_told(tmp_path, monkeypatch):
    def with_another(*_):
        held = fitted()
        silent = np.roll(held.templates.waveforms[:1], 3, axis=2)
        waves = np.concatenate([held.templates.waveforms, silent])
        templates = replace(held.templates, waveforms=waves, rate_hz=np.full(4, 14.0))
        return Fitted(held.front, templates, np.asarray([0, 1, 0, 1]))

    monkeypatch.setattr(teaching, "fit", with_another)
    known = teaching.teach(recording(), "f", NISSL.defaults(), Context(tmp_path))
    assert known.shanks[0].number.tolist() == [0, 1, 0, -1]
