"""The sorter as a live method: any chunks say the same, and what was taught is what is told."""

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.annotators.spikes.own.planted import N_CHANNELS, RATE_HZ, planted, taught, usual

from nissl.annotators.spikes.own.live.stream import SpikeStream
from nissl.annotators.spikes.own.live.taught import save_taught
from nissl.clock import Clock
from nissl.data import Signal
from nissl.data.channels import ChannelTable
from nissl.errors import BadArgumentError, BadMetadataError, MissingInputError
from nissl.labels import Kind
from nissl.live import LiveMethod, StreamInfo, live_method, offline
from nissl.live.latency import played
from nissl.live.triggers import Chosen

SECONDS = 1.5


def stream(**more):
    return StreamInfo.of(planted(**more).signal)


def fresh(**parameters):
    return live_method("spikes", stream(), parameters, learnt=taught())


def samples(seconds=SECONDS):
    return planted().signal.read(0, round(seconds * RATE_HZ))


def pushed(method, x, sizes, first=0):
    claims, a = [], 0
    for size in [*sizes, len(x)]:
        claims += method.push(x[a : a + size], first + a)
        a = min(a + size, len(x))
    return claims


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(sizes=st.lists(st.integers(0, 5000), max_size=30), hole=st.integers(0, 40_000))
def test_any_chunks_of_the_same_samples_say_the_same(sizes, hole):
    x = samples().copy()
    x[hole : hole + 7, 0] = np.nan
    one, other = fresh(), fresh()
    assert isinstance(one, LiveMethod)
    assert repr(pushed(one, x, sizes)) == repr(pushed(other, x, [150] * (len(x) // 150)))


def test_single_samples_say_the_same():
    x = samples(0.3)
    assert repr(pushed(fresh(), x, [1] * len(x))) == repr(pushed(fresh(), x, []))


def test_live_equals_offline_and_looks_at_nothing_later():
    x = samples()
    said = pushed(fresh(), x, [131] * (len(x) // 131))
    assert len(said) > 60
    assert repr(said) == repr(offline(fresh(), Signal.from_array(x, RATE_HZ)))
    half = len(x) // 2
    assert repr(pushed(fresh(), x[:half], [])) == repr([c for c in said if c.known_at <= half])
    most = fresh().latency_s * RATE_HZ
    assert all(c.start + 1 == c.stop <= c.known_at <= c.stop + most for c in said)
    assert most < 0.008 * RATE_HZ


def test_a_gap_cuts():
    x = samples()
    clock = Clock.from_segments(RATE_HZ, [20_000, len(x) - 20_000], [0.0, 30.0])
    said = offline(fresh(follow=False), Signal.from_array(x, RATE_HZ, clock=clock))
    method = fresh(follow=False)
    pushed(method, x[:20_000], [])
    with pytest.raises(BadArgumentError, match="reset"):
        method.push(x[20_000:], 20_100)
    method.reset(20_000)
    again = pushed(method, x[20_000:], [5], first=20_000)
    assert repr(again) == repr([c for c in said if c.start >= 20_000])


def test_claims_carry_what_was_taught():
    said = pushed(fresh(), samples(), [])
    assert fresh().kind is Kind.EVENTS
    units = {c.unit for c in said}
    assert units == {0, 1, 2}  # the last one has no number: it is matched, and not told
    for unit, template in ((1, 0), (0, 1), (2, 2)):
        own = [c for c in said if c.unit == unit]
        assert {c.channel for c in own} == {(0, 2, 3)[template]}
        assert np.median([c.amplitude for c in own]) == pytest.approx(-70 - 10 * template, rel=0.1)
        assert own[0].position == (0.0, 20.0 * template)
        true = planted().sample[planted().unit == template] + (0, 2, -1)[template]
        late = [np.abs(true - c.start).min() for c in own]
        assert np.median(late) <= 1


def test_channels_are_found_by_their_names():
    ids = ["x", *(str(k) for k in reversed(range(N_CHANNELS)))]
    other = StreamInfo("s", RATE_HZ, ChannelTable.plain(ids))
    x = samples(0.6)
    wide = np.concatenate([np.zeros((len(x), 1), np.float32), x[:, ::-1]], axis=1)
    said = pushed(live_method("spikes", other, {}, learnt=taught()), wide, [])
    wanted = pushed(fresh(), x, [])
    assert [(c.start, c.unit) for c in said] == [(c.start, c.unit) for c in wanted]
    assert {c.channel for c in said} == {len(ids) - 1 - c.channel for c in wanted}


def test_two_shanks_say_what_each_says_alone():
    known = taught()
    (shank,) = known.shanks
    front = dataclasses.replace(shank.front, columns=tuple(range(N_CHANNELS, 2 * N_CHANNELS)))
    second = dataclasses.replace(shank, front=front, number=np.asarray([4, 3, 5, -1]))
    ids = tuple(str(k) for k in range(2 * N_CHANNELS))
    both = dataclasses.replace(known, channels=ids, shanks=(shank, second))
    x = samples(0.6)
    wide = np.concatenate([x, x], axis=1)
    info = StreamInfo("s", RATE_HZ, ChannelTable.plain(list(ids)))
    said = pushed(live_method("spikes", info, {}, learnt=both), wide, [])
    wanted = [(c.start, c.unit) for c in pushed(fresh(), x, [])]
    assert [(c.start, c.unit) for c in said if c.unit < 3] == wanted
    assert [(c.start, c.unit - 3) for c in said if c.unit >= 3] == wanted


def test_a_stream_that_does_not_fit_is_refused(tmp_path):
    with pytest.raises(MissingInputError, match="--teach"):
        live_method("spikes", stream())
    ids = [str(k) for k in range(N_CHANNELS - 1)]
    with pytest.raises(BadMetadataError, match=r"without \['5'\]"):
        live_method("spikes", StreamInfo.plain(ids, RATE_HZ), learnt=taught())
    with pytest.raises(BadMetadataError, match="30000 Hz"):
        live_method("spikes", StreamInfo("s", 25_000.0, stream().channels), learnt=taught())
    for wrong in (
        {"wait_ms": 0},
        {"follow_s": 0},
        {"follow_bound": 1.5},
        {"wait": 1},
        {"least_confidence": 1},
    ):
        with pytest.raises(BadArgumentError):
            fresh(**wrong)
    save_taught(tmp_path / "a.npz", taught())
    kept = live_method("spikes", stream(), {"state": str(tmp_path / "a.npz")})
    assert kept.weights == fresh().weights == taught().digest


def test_doubtful_spikes_are_left_out_as_far_as_one_likes():
    (shank,) = taught().shanks
    columns = usual().columns.copy()
    columns[1, [1, 2, 3]] = 0.02, 0.6, 2.0  # nearly all of its spikes were chance, and too near
    doubtful = dataclasses.replace(usual(), columns=columns)
    known = dataclasses.replace(taught(), shanks=(dataclasses.replace(shank, usual=doubtful),))
    x = samples()

    def told(least):
        return pushed(
            live_method("spikes", stream(), {"least_confidence": least}, learnt=known), x, []
        )

    every = told(0)
    levels = np.unique([c.confidence for c in every])
    low, high = levels[levels.size // 3], levels[2 * levels.size // 3]
    some, few = told(low), told(high)
    assert len(every) > len(some) > len(few) > 50
    assert all(0 < c.confidence < 1 for c in every)
    assert some == [c for c in every if c.confidence >= low]
    assert few == [c for c in every if c.confidence >= high]
    assert [(c.start, c.unit) for c in every] == [(c.start, c.unit) for c in pushed(fresh(), x, [])]
    assert all(np.isnan(c.confidence) for c in pushed(fresh(), x, []))


def test_no_units_say_nothing():
    empty = dataclasses.replace(taught(), shanks=())
    method = live_method("spikes", stream(), learnt=empty)
    assert pushed(method, samples(0.2), [7]) == []
    assert method.latency_s < 0.01


class Remembered:
    def __init__(self):
        self.sent = []

    def send(self, claim):
        self.sent.append(claim)

    def close(self):
        pass


def test_a_replay_fires_a_trigger_for_each_spike_of_a_unit():
    signal = Signal.from_array(samples(1.0), RATE_HZ)
    unit = planted().sample[(planted().unit == 2) & (planted().sample < 29_000)] - 1
    figures, log = played(signal, fresh(), Remembered(), unit, chosen=Chosen(units=frozenset({2})))
    assert len(log) == figures.n > 10
    assert figures.missed <= 1
    assert figures.false <= 1


def test_the_stream_is_made_anew_after_it_was_warmed():
    method = fresh()
    (shank,) = method._shanks
    assert isinstance(shank.stream, SpikeStream)
    assert shank.stream._scores.shape[1] == 0
    assert set(method.distances) == {0, 1, 2}
    assert max(method.distances.values()) == 0
    assert fresh(follow=False).distances == {}
