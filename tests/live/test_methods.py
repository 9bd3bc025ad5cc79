"""Methods on a stream: any chunks say the same, gaps cut, missing samples say nothing."""

import dataclasses
import itertools
import time
from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nissl.annotators.events.microstates import MICROSTATES, maps_of
from nissl.annotators.events.simulate import simulate
from nissl.annotators.sleep.causal import causal_context
from nissl.annotators.sleep.learner import LEARNER
from nissl.clock import Clock
from nissl.data import Signal
from nissl.data.channels import ChannelTable
from nissl.errors import BadArgumentError, BadMetadataError, MissingInputError
from nissl.live import LIVE, LiveMethod, StreamInfo, live_method, offline
from nissl.live.contract import Claim
from nissl.tasks import ANNOTATORS

RATE = 100.0
IDS = ["Fpz-Cz", "Pz-Oz", "C3"]
STREAM = StreamInfo.plain(IDS, RATE)
FAST = {
    "sleep/nissl": {"epoch_s": 5.0},
    "events/spindles": {},
    "events/bursts": {},
    "events/slow-waves": {"limits": "absolute"},
    "events/yasa-spindles": None,
    "events/suppression": {"window_s": 10.0, "every_s": 1.0, "margin_s": 1.0},
    "events/spikes-interictal": None,
}


@cache
def night(seconds=40):
    """Noise with spindles, bursts and slow waves; the last channel rests."""
    rng = np.random.default_rng(0)
    t = np.arange(int(seconds * RATE)) / RATE
    x = 10 * rng.standard_normal((len(t), 3))
    for s in range(14, seconds - 2, 4):
        on = (t > s) & (t < s + 1)
        x[on, :2] += (60 * np.sin(2 * np.pi * 13.5 * t[on]) * np.hanning(on.sum()))[:, None]
    for s in range(21, seconds - 4, 5):
        on = (t > s) & (t < s + 1.25)
        x[on, 0] -= 120 * np.sin(2 * np.pi * 0.8 * t[on] - 2 * np.pi * 0.8 * s)
    return x.astype(np.float32)


def fresh(name):
    return live_method(name, STREAM, FAST[name])


def pushed(method, x, sizes, first=0):
    claims, a = [], 0
    for size in [*sizes, len(x)]:
        claims += method.push(x[a : a + size], first + a)
        a = min(a + size, len(x))
    return claims


NAMES = [name for name, own in FAST.items() if own is not None]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(sizes=st.lists(st.integers(0, 900), max_size=30), hole=st.integers(0, 3900))
def test_any_chunks_of_the_same_samples_say_the_same(name, sizes, hole):
    x = night().copy()
    x[hole : hole + 7, 0] = np.nan
    one, other = fresh(name), fresh(name)
    assert isinstance(one, LiveMethod)
    assert repr(pushed(one, x, sizes)) == repr(pushed(other, x, [10] * (len(x) // 10)))


@pytest.mark.parametrize("name", NAMES)
def test_live_equals_offline_and_looks_at_nothing_later(name):
    x = night()
    said = pushed(fresh(name), x, [13] * (len(x) // 13))
    assert repr(said) == repr(offline(fresh(name), _signal(x)))
    half = len(x) // 2
    before = pushed(fresh(name), x[:half], [])
    assert repr(before) == repr([c for c in said if c.known_at <= half])
    for claim in said:
        assert claim.start < claim.stop <= claim.known_at
        assert claim.known_at - claim.stop <= fresh(name).latency_s * RATE + 1


def _signal(x, clock=None):
    return Signal.from_array(x, RATE, channels=STREAM.channels, clock=clock)


def test_what_is_there_is_found():
    x = night()
    for name, channels in (("events/spindles", {0, 1}), ("events/slow-waves", {0})):
        said = pushed(fresh(name), x, [])
        assert {c.channel for c in said} == channels
        assert all(np.isnan(c.confidence) for c in said)
    spindles = [c for c in pushed(fresh("events/spindles"), x, []) if c.channel == 1]
    middles = [(c.start + c.stop) / 2 / RATE for c in spindles]
    assert np.allclose(middles, np.arange(14, 38, 4) + 0.5, atol=0.15)


@pytest.mark.parametrize("name", NAMES)
def test_a_gap_cuts(name):
    x = night()
    clock = Clock.from_segments(RATE, [2250, 1750], [0.0, 30.0])
    said = offline(fresh(name), _signal(x, clock))
    assert not [c for c in said if c.start < 2250 < c.stop]
    method = fresh(name)
    pushed(method, x[:2250], [])
    with pytest.raises(BadArgumentError, match="reset"):
        method.push(x[2250:], 2260)
    method.reset(2250)
    again = pushed(method, x[2250:], [5], first=2250)
    assert repr(again) == repr([c for c in said if c.start >= 2250])


def test_missing_samples_say_nothing():
    x = night().copy()
    x[1400:1500, 0] = np.nan
    for name in ("events/spindles", "events/bursts"):
        said = pushed(fresh(name), x, [])
        assert not [c for c in said if c.channel == 0 and c.start < 1500 and c.stop > 1400]
        assert [c for c in said if c.channel == 0 and c.start > 1600]
    stages = pushed(fresh("sleep/nissl"), np.full_like(x, np.nan), [])
    assert {c.label for c in stages} == {"unknown"}
    assert all(np.isnan(c.confidence) for c in stages)


def test_what_does_not_fit_is_an_error():
    with pytest.raises(BadMetadataError, match="above 0 Hz"):
        StreamInfo.plain(IDS, 0.0)
    with pytest.raises(BadMetadataError, match="set up"):
        offline(fresh("events/bursts"), Signal.from_array(np.zeros((9, 3), np.float32), RATE))
    with pytest.raises(BadArgumentError, match="shape"):
        fresh("events/bursts").push(np.zeros((4, 2), np.float32), 0)
    with pytest.raises(BadArgumentError, match="half the rate"):
        live_method("events/bursts", StreamInfo.plain(IDS, 50.0))
    with pytest.raises(BadArgumentError, match="method for streams"):
        live_method("spikes/lupin", STREAM)
    with pytest.raises(BadArgumentError, match="parameters of"):
        live_method("sleep", STREAM, {"epochs": 3})
    with pytest.raises(BadArgumentError, match="edge"):
        live_method("events/spindles", STREAM, {"edge": 2.0})
    with pytest.raises(BadArgumentError, match="limits"):
        live_method("events/slow-waves", STREAM, {"limits": "none"})
    with pytest.raises(BadArgumentError, match="window"):
        live_method("events/suppression", STREAM, {"window_s": 1.0})
    with pytest.raises(MissingInputError, match="taught"):
        live_method("events/nissl", STREAM)
    with pytest.raises(MissingInputError, match="EEG"):
        live_method("sleep", StreamInfo("s", RATE, ChannelTable.plain(["EMG chin"], kind="eeg")))


def test_every_method_is_for_a_task_that_there_is():
    assert {name.partition("/")[0] for name in LIVE} == {"sleep", "events", "spikes"}


def test_the_offline_detector_over_a_window():
    x = night()
    method = live_method("events/spindles", STREAM, {"windowed": True, "window_s": 20.0})
    said = pushed(method, x, [10] * 400)
    assert "windowed" in method.version
    assert len(method.vocabulary.names) == len(said[0].probabilities) == 2
    spans = sorted((c.channel, c.start, c.stop) for c in said)
    for (a, _, stop), (b, start, _) in itertools.pairwise(spans):
        assert a != b or stop <= start


def test_sleep_features_are_those_of_the_file():
    method = fresh("sleep/nissl")
    pushed(method, night(), [])
    history, names = method._history, method._names
    wide, told = causal_context(history, names, 5.0)
    again, _ = causal_context(history[:4], names, 5.0)
    assert np.array_equal(wide[:4], again, equal_nan=True)
    assert set(method._model.features) <= set(told)
    assert method.vocabulary.names == LEARNER.vocabulary.names
    assert len(method.weights) == 64


def test_claims_as_plain_values():
    claim = Claim(1, 5, "N2", 7, None, 0.5, (0.5, 0.5))
    assert Claim.from_json(claim.to_json()) == claim
    unsure = dataclasses.replace(claim, confidence=float("nan"), channel=2)
    assert repr(Claim.from_json(unsure.to_json())) == repr(unsure)


def test_what_a_search_finds_is_claimed_at_its_time_however_long_it_took():
    x = night()[:2700]

    def spindles():
        return live_method("events/spindles", STREAM, {"windowed": True, "window_s": 20.0})

    wanted = pushed(spindles(), x, [10] * 270)
    method, said, waited = spindles(), [], []
    quick = method._method.detect

    def slow(*given):
        time.sleep(0.02)
        return quick(*given)

    method._method = dataclasses.replace(method._method, detect=slow)
    for a in range(0, len(x), 10):
        begun = time.perf_counter()
        said += method.push(x[a : a + 10], a)
        waited.append(time.perf_counter() - begun)
        if method._searches:  # the stream comes slower than the searches are made
            time.sleep(0.03)
    assert wanted
    assert repr(said) == repr(wanted)
    assert np.median(waited[210:]) < 0.02


def test_what_the_detector_finds_in_the_file_is_found_over_windows_once():
    recording, _ = simulate(
        3, kinds={"spindle": 6.0}, duration_s=120.0, rate_hz=128.0, n_channels=1, snr=8.0
    )
    signal = recording.signal
    method = live_method("events/spindles", StreamInfo.of(signal), {"windowed": True})
    live = [(c.start, c.stop) for c in offline(method, signal)]
    assert all(b <= c for (_, b), (c, _) in itertools.pairwise(live))
    whole = ANNOTATORS.get("events/spindles")
    found = whole.detect(signal, 0, signal.n_samples, [0], whole.defaults())
    last = signal.n_samples - round(method.latency_s * signal.rate_hz)
    due = [(a, b) for a, b in zip(found.start, found.stop, strict=True) if b <= last]
    hit = [any(min(b, d) - max(a, c) > 0.5 * (b - a) for c, d in live) for a, b in due]
    assert len(due) >= 8
    assert np.mean(hit) >= 0.9
    assert len(live) <= 1.3 * len(due)


def test_microstates_of_a_stream_are_those_of_the_maps_of_a_recording():
    rng = np.random.default_rng(0)
    maps = rng.standard_normal((4, 12))
    maps -= maps.mean(axis=1, keepdims=True)
    state = np.repeat(rng.integers(0, 4, 160), rng.integers(15, 40, 160))[:3000]
    course = np.sin(2 * np.pi * 10 * np.arange(len(state)) / 125)
    x = 20 * course[:, None] * maps[state] + rng.standard_normal((len(state), 12))
    names = ["Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8"]
    stream = StreamInfo.plain(names, 125.0)
    signal = Signal.from_array(x.astype(np.float32), 125.0, channels=stream.channels)
    with pytest.raises(MissingInputError, match="--teach"):
        live_method("events/microstates", stream)
    fitted = maps_of(signal, range(12), MICROSTATES.defaults()).maps.tolist()
    method = live_method("events/microstates", stream, {"maps": fitted})
    claims = offline(method, signal)
    whole = MICROSTATES.detect(signal, 0, len(x), range(12), MICROSTATES.defaults())
    said, true = np.full((2, len(x)), -1)
    for claim in claims:
        said[claim.start : claim.stop] = int(claim.label.split()[-1]) - 1
    for a, b, label in zip(whole.start, whole.stop, whole.label, strict=True):
        true[a:b] = label
    known = said >= 0
    assert known[200:2600].mean() > 0.9
    assert (said == true)[known].mean() > 0.95
    with pytest.raises(BadArgumentError, match="12 channels"):
        offline(live_method("events/microstates", stream, {"maps": [[1.0]]}), signal)
