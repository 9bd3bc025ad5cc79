"""Rest is found by movement, by stages of sleep, and by the population alone; or it is refused."""

import numpy as np
import pytest

from nissl.annotators.windows.evidence import Grid, asleep, movement, moving_channels
from nissl.annotators.windows.simulate import simulate
from nissl.annotators.windows.states import low_probability, restlessness, stretches
from nissl.annotators.windows.task import WINDOWS, score
from nissl.annotators.windows.vocabulary import REST, VOCABULARY
from nissl.clock import Clock
from nissl.data import ChannelTable, Recording, Signal
from nissl.errors import BadArgumentError, MissingInputError
from nissl.labels import Author, Kind, LabelSet, Provenance
from nissl.run.context import Context
from nissl.tasks import ANNOTATORS, TASKS, Inputs
from nissl.testing.annotators import AnnotatorContract

RATE_HZ = 200.0


def recorded(samples, names, rate_hz=RATE_HZ):
    table = ChannelTable.plain(list(names), kind="aux")
    signal = Signal.from_array(samples, rate_hz, name="behaviour", channels=table)
    return Recording(path=None, format="test", streams={"behaviour": signal}, fingerprint="x")


def spikes_and_rest(seed=0, duration_s=400.0, bout_s=20.0):
    """Spikes of units that are driven together while the animal moves, and the truth."""
    rng = np.random.default_rng(seed)
    n = int(duration_s * 20)
    moving = (np.arange(n) // int(20 * bout_s)) % 2 == 1
    drive = np.where(moving, np.repeat(rng.gamma(0.7, 1 / 0.7, n // 4 + 1), 4)[:n], 1.0)
    counts = rng.poisson(0.4 * drive[:, None], (n, 30))
    bins, unit = np.nonzero(counts)
    sample = np.repeat(bins, counts[bins, unit]) * 10 + rng.integers(0, 10, counts.sum())
    order = np.argsort(sample, kind="stable")
    columns = {
        "item": np.repeat(unit, counts[bins, unit])[order],
        "label": np.zeros(len(sample), int),
        "sample": sample[order],
    }
    made_by = Provenance("spikes", "x", Author("model", "simulation", "1"), "behaviour")
    labels = LabelSet.build(Kind.EVENTS, columns, ("unit",), made_by)
    return recorded(np.zeros((int(duration_s * RATE_HZ), 1), np.float32), ["x"]), labels, moving


def stages(names, epoch_s=30.0):
    start = np.arange(len(names)) * int(epoch_s * RATE_HZ)
    vocabulary = ("W", "N1", "N2", "N3", "R", "unknown")
    columns = {
        "start": start,
        "stop": start + int(epoch_s * RATE_HZ),
        "label": [vocabulary.index(n) for n in names],
        "confidence": np.full(len(names), 0.9, np.float32),
    }
    made_by = Provenance("sleep", "x", Author("model", "simulation", "1"), "behaviour")
    return LabelSet.build(Kind.SPANS, columns, vocabulary, made_by)


class TestMethods(AnnotatorContract):
    @pytest.fixture(scope="class", params=["movement", "sleep", "population"])
    def annotator(self, request):
        return ANNOTATORS.get(f"windows/{request.param}")

    @pytest.fixture(scope="class")
    def inputs(self, annotator):
        if annotator.name == "windows/movement":
            return Inputs(simulate(1)[0], "behaviour")
        recording, spikes, _ = spikes_and_rest()
        night = stages(["W", "N2", "N3", "N3", "R", "N2"])
        return Inputs(recording, "behaviour", {"spikes": spikes, "sleep": night})


def found_by(name, recording, tmp_path, labels=None, **parameters):
    method = ANNOTATORS.get(name)
    inputs = Inputs(recording, "behaviour", labels or {})
    return method.annotate(inputs, {**method.defaults(), **parameters}, Context(tmp_path))


@pytest.mark.parametrize("seed", range(4))
def test_bouts_of_rest_and_movement_are_found_with_a_confidence_that_holds(seed, tmp_path):
    recording, truth = simulate(seed)
    labels = found_by("windows/movement", recording, tmp_path).labels[0]
    assert score(labels, truth)["f1"] > 0.85
    state = np.repeat(truth.column("label"), truth.column("stop") - truth.column("start"))
    right = [
        np.mean(state[a:b] == k)
        for a, b, k in zip(
            labels.column("start"), labels.column("stop"), labels.column("label"), strict=True
        )
    ]
    assert abs(np.mean(right) - labels.column("confidence").mean()) < 0.03


def test_muscle_tone_and_places_tell_movement_too(tmp_path):
    rng = np.random.default_rng(1)
    moving = (np.arange(80_000) // 4000) % 2 == 1
    tone = rng.standard_normal(80_000) * np.where(moving, 8, 1)
    place = np.cumsum(moving * 0.02 + rng.standard_normal(80_000) * 0.001)
    for x, name in ((tone, "EMG"), (place, "position")):
        labels = found_by(
            "windows/movement", recorded(x[:, None].astype(np.float32), [name]), tmp_path
        ).labels[0]
        rest = labels.column("label") == VOCABULARY.code(REST)
        assert rest.sum() == 10
        assert (~rest).sum() == 10
    assert moving_channels(["C3", "vel_x", "vel_y"]) == ([1, 2], "speed")
    assert moving_channels(["position", "acc"]) == ([1], "shaken")
    assert moving_channels(["C3", "O1"])[0] == []


def test_the_population_alone_tells_rest_less_surely(tmp_path):
    recording, spikes, moving = spikes_and_rest()
    labels = found_by("windows/population", recording, tmp_path, {"spikes": spikes}).labels[0]
    rest = labels.column("label") == VOCABULARY.code(REST)
    for a, b, k in zip(labels.column("start"), labels.column("stop"), rest, strict=True):
        assert np.mean(moving[a // 10 : b // 10] != k) > 0.7
    assert rest.sum() >= 8
    counts = np.random.default_rng(0).poisson(1.0, (20_000, 30)).astype(float)
    assert abs(restlessness(counts, 20).mean() - 1) < 0.05


def test_quiet_sleep_is_rest_and_dreams_are_not(tmp_path):
    night = stages(["W", "N2", "N3", "R", "N1", "N2", "W"])
    start, stop, sure = asleep(night, 1)
    assert (start / RATE_HZ).tolist() == [30.0, 120.0]
    assert (stop / RATE_HZ).tolist() == [90.0, 180.0]
    assert np.allclose(sure, 0.9)
    assert len(asleep(night, int(70 * RATE_HZ))[0]) == 0
    behaviour = LabelSet.build(
        Kind.SPANS,
        {"start": [0], "stop": [9], "label": [0]},
        ("runs",),
        Provenance("sleep", "x", Author("person", "someone"), "behaviour"),
    )
    with pytest.raises(MissingInputError, match="stages of sleep"):
        asleep(behaviour, 1)


def test_no_window_crosses_a_gap():
    clock = Clock.from_segments(10.0, [305, 300], [0.0, 90.0])
    grid = Grid.of(clock, 1.0)
    assert len(grid.left) == 60
    assert grid.left[30] == 305
    found = stretches(np.full(60, 0.9), 1.0, 5.0, grid.segment)
    assert grid.samples(found)[0].tolist() == [0, 305]
    assert grid.samples(found)[1].tolist() == [300, 605]


def test_bad_input_is_refused_with_what_would_help(tmp_path):
    with pytest.raises(BadArgumentError, match=r"same value everywhere[\s\S]*mark it by hand"):
        low_probability(np.ones(500), 0.5)
    rng = np.random.default_rng(0)
    with pytest.raises(BadArgumentError, match="one: what it calls two"):
        low_probability(np.exp(0.3 * rng.standard_normal(3000)), 0.5)
    with pytest.raises(BadArgumentError, match="20 or more bins"):
        low_probability(np.full(40, np.nan), 0.5)
    x = np.zeros((4000, 1), np.float32)
    with pytest.raises(MissingInputError, match="speed, position, acceleration or EMG"):
        found_by("windows/movement", recorded(x, ["C3"]), tmp_path)
    with pytest.raises(BadArgumentError, match="longer than nothing"):
        found_by("windows/movement", recorded(x, ["speed"]), tmp_path, least_s=0)
    signal = recorded(x, ["speed"]).signal
    with pytest.raises(BadArgumentError, match="how movement is read"):
        movement(signal, [0], "guess", Grid.of(signal.clock, 0.5))
    recording, spikes, _ = spikes_and_rest()
    silent = LabelSet(spikes.kind, spikes.table.slice(0, 0), spikes.vocabulary, spikes.provenance)
    with pytest.raises(BadArgumentError, match="silent"):
        found_by("windows/population", recording, tmp_path, {"spikes": silent})


def test_little_rest_is_told(tmp_path):
    recording, _ = simulate(3, duration_s=120.0)
    labels = found_by("windows/movement", recording, tmp_path, least_s=5.0).labels[0]
    findings = WINDOWS.check(labels, None, Inputs(recording, "behaviour"), Context(tmp_path))
    assert "rest" in [f.check for f in findings]
    table = WINDOWS.describe(labels, Inputs(recording, "behaviour"), Context(tmp_path))
    assert table.table.column("duration_s").to_numpy().min() >= 5.0
    assert WINDOWS is TASKS.get("windows")
