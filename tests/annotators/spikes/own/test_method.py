"""The sorter as a method: the contract, true units found, any workers, bad input."""

from types import SimpleNamespace

import numpy as np
import pytest

from nissl.annotators.spikes.adapters import NISSL
from nissl.annotators.spikes.own.matching.matching import Placed
from nissl.annotators.spikes.own.matching.pursuit import Matched
from nissl.annotators.spikes.own.method import Own, motion_log, own_steps
from nissl.annotators.spikes.own.motion.estimate import Motion
from nissl.annotators.spikes.own.preprocessing.front import fit_front, looks, white
from nissl.annotators.spikes.own.sorter import Fitted, _found, fit, match
from nissl.annotators.spikes.score import score
from nissl.annotators.spikes.simulate import simulate
from nissl.clock import Clock, Segment
from nissl.data import Recording, Signal
from nissl.errors import BadArgumentError, BadSamplesError
from nissl.labels.compare.events import match_counts
from nissl.run.context import Context
from nissl.tasks import ANNOTATORS, Inputs, resolve
from nissl.testing.annotators import AnnotatorContract

BAND_HZ = (300.0, 6000.0)


@pytest.fixture(scope="module")
def simulated():
    return simulate(102, n_channels=8, duration_s=30, n_units=4)


class TestNissl(AnnotatorContract):
    @pytest.fixture(scope="class")
    def annotator(self):
        return NISSL

    @pytest.fixture(scope="class")
    def inputs(self, simulated):
        return Inputs(simulated[0], simulated[0].signal.name)

    def test_finds_the_true_units(self, run, simulated):
        found = score(run[0].labels[0], simulated[1])
        assert found["units_at_least_0.8"] >= 3
        assert found["false_positive_units"] <= 1

    def test_it_expects_about_as_many_false_and_lost_spikes_as_there_are(self, run, simulated):
        labels, items, truth = run[0].labels[0], run[0].items[0], simulated[1]
        counts = match_counts(truth, labels, 12)
        best = counts.argmax(axis=0)
        n = counts[best, np.arange(best.size)]
        found, true = (
            np.asarray([each.rows_of(int(k)).size for k in each.items]) for each in (labels, truth)
        )
        matched = n > 0.5 * true[best]
        assert matched.sum() >= 3
        for name, share in (("positives", 1 - n / found), ("negatives", 1 - n / true[best])):
            told = items.table.column(f"expected_false_{name}").to_numpy()
            assert np.all((told >= 0) & (told < 1))
            assert np.abs(told - share)[matched].max() < 0.06

    def test_a_device_gives_the_same_spikes(self, run, annotator, inputs, parameters, tmp_path):
        torch = pytest.importorskip("torch", reason="pip install 'nissl[train]'")
        chosen = {**parameters, "device": "torch:cpu"}
        found = annotator.annotate(inputs, chosen, Context(tmp_path, seed=3))
        assert run[0].log["device"] == "cpu" or torch.cuda.is_available()
        assert found.log["device"].startswith("torch:cpu (PyTorch ")
        known, other = (
            set(zip(labels.column("item").tolist(), labels.column("sample").tolist(), strict=True))
            for labels in (run[0].labels[0], found.labels[0])
        )
        assert len(known & other) > 0.999 * len(known | other)

    def test_it_does_not_doubt_the_true_units(self, run, simulated):
        split = run[0].items[0].table.column("split_probability").to_numpy()
        counts = match_counts(simulated[1], run[0].labels[0], 12)
        assert np.nanmax(split[counts.max(axis=0) > 100]) < 0.5

    def test_it_tells_what_was_done_to_the_samples(self, run):
        steps = {
            s["step"]: s["by"] for s in run[0].labels[0].provenance.parameters["preprocessing"]
        }
        assert steps == {"bad_channels": "nissl", "bandpass": NISSL.name, "whitening": NISSL.name}


def test_it_is_known_and_the_default():
    assert "spikes/nissl" in ANNOTATORS
    assert resolve("spikes")[1].name == "spikes/nissl"


def fitted_to(signal, tmp_path, seed=0):
    columns = list(range(signal.n_channels))
    return fit(signal, columns, BAND_HZ, Context(tmp_path, seed=seed), "finding units")


def test_workers_do_not_change_the_spikes(simulated, tmp_path):
    signal = simulated[0].signal
    fitted = fitted_to(signal, tmp_path)
    one, two = (
        match(signal, fitted, Context(tmp_path, workers=workers), "matching") for workers in (1, 2)
    )
    np.testing.assert_array_equal(one.sample, two.sample)
    np.testing.assert_array_equal(one.unit, two.unit)
    assert one.sample.size > 500
    assert np.all(np.diff(one.sample) >= 0)


def test_stretches_are_white_wherever_they_begin(simulated):
    signal = simulated[0].signal
    front = fit_front(signal, range(8), *BAND_HZ)
    segment, step = signal.clock.segments[0], front.band.step
    whole = white(signal, front, segment, 0, 30_000)
    part = white(signal, front, segment, 12_000 * step // step, 30_000)
    np.testing.assert_allclose(part, whole[12_000 // step :], atol=0.05)


def test_looks_lie_within_segments():
    clock = Clock((Segment(0, 9000, 0.0, 1000.0), Segment(9000, 9400, 20.0, 1000.0)))
    signal = Signal.from_array(np.zeros((9400, 2), np.float32), 1000.0, clock=clock)
    found = looks(signal, 5, 1.0)
    assert len(found) >= 5
    for segment, start, stop in found:
        assert segment.start <= start < stop <= segment.stop
    assert sum(segment.start == 9000 for segment, _, _ in found) == 1


def noise(n_channels, seconds=6, dtype=np.float32, seed=0):
    x = np.random.default_rng(seed).normal(0, 10, (seconds * 30_000, n_channels))
    return Signal.from_array(x.astype(dtype), 30_000.0)


def test_the_log_tells_of_the_shank_that_moved_most():
    time = np.asarray([0.5, 1.5])
    small, large = (
        Motion(time, np.asarray([50.0, 150.0]), np.asarray([[0.0, 0.0], [size, size / 2]]))
        for size in (5.0, 40.0)
    )
    found = [Own(0, None, small), Own(1, None, large), Own(2, None)]
    told = motion_log(found)
    assert (told["shank"], told["corrected"]) == (1, True)
    assert told["range_um"] == pytest.approx(40, abs=1)
    assert told["displacement_um"] == [[0.0, 40.0], [0.0, 20.0]]
    assert motion_log(found[2:]) == {"corrected": False}
    parameters = {"freq_min_hz": 300, "freq_max_hz": 6000}
    steps = own_steps(parameters, [0, 1])
    assert [s.step for s in steps] == ["bandpass", "motion", "whitening"]
    assert [s.step for s in own_steps(parameters)] == ["bandpass", "whitening"]
    told = own_steps(parameters, [], [1])
    assert [s.step for s in told] == ["bandpass", "whitening", "artifacts"]
    assert told[-1].parameters == {"shanks": [1]}


def test_pieces_of_a_unit_come_out_as_one():
    template = np.repeat([0, 1, 2, 3], [30, 15, 10, 25])
    rng = np.random.default_rng(0)
    sample = rng.permutation(template.size) * 100
    size = template.astype(np.float32)
    nothing = np.zeros(size.size, np.int64)
    spikes = Matched(sample, size * 0, template, size, size, nothing - 1, size * 0)
    placed = Placed(sample.astype(np.float64), nothing, spikes)
    segment = Segment(0, int(sample.max()) + 1, 0.0, 1000.0)
    signal = SimpleNamespace(clock=Clock((segment,)))
    fitted = Fitted(SimpleNamespace(delay=0), None, np.asarray([0, 1, 1, 2]))
    found = _found(placed, size * 0 + 1, fitted, signal)
    assert np.bincount(found.unit).tolist() == [30, 25, 25]
    assert np.all(np.diff(found.sample) > 0)
    assert set(found.amplitude[found.unit == 1]) == {1.0, 2.0}


def test_still_tissue_is_matched_as_it_was(simulated, tmp_path):
    fitted = fitted_to(simulated[0].signal, tmp_path)
    assert fitted.motion is None
    assert fitted.front.rest is None
    assert fitted.unit.tolist() == list(range(len(fitted.templates)))


def test_noise_has_no_units(tmp_path):
    signal = noise(4)
    fitted = fitted_to(signal, tmp_path)
    found = match(signal, fitted, Context(tmp_path), "matching")
    assert found.sample.size == 0
    nothing = match(signal, Fitted(fitted.front, None), Context(tmp_path), "matching")
    assert nothing.sample.size == 0


def aligned(found, truth, rate_hz):
    """Share of spikes at a true one, but for one offset: the peak is put right by `propose`."""
    nearest = truth[np.argmin(np.abs(found[:, None] - truth[None]), axis=1)]
    late = found - nearest
    assert abs(np.median(late)) < 1e-3 * rate_hz
    return np.mean(np.abs(late - np.median(late)) <= 0.2e-3 * rate_hz)


@pytest.mark.parametrize("rate_hz", [10_000.0, 25_000.0])
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_one_channel_of_another_rate_and_type(tmp_path, rate_hz, dtype):
    rng, n = np.random.default_rng(1), int(12 * rate_hz)
    x = rng.normal(0, 10, n)
    at = np.arange(500, n - 500, int(rate_hz / 20))
    at = at + rng.integers(0, 200, at.size)
    t = np.arange(-20, 40) / rate_hz * 1000
    shape = -150 * np.exp(-0.5 * (t / 0.15) ** 2) + 60 * np.exp(-0.5 * ((t - 0.6) / 0.3) ** 2)
    for a in at:
        x[a - 20 : a + 40] += shape
    signal = Signal.from_array(x[:, None].astype(dtype), rate_hz)
    found = match(signal, fitted_to(signal, tmp_path), Context(tmp_path), "matching")
    assert np.unique(found.unit).size == 1
    assert found.sample.size == pytest.approx(at.size, rel=0.05)
    assert aligned(found.sample, at, rate_hz) > 0.9


def test_a_unit_that_appears_halfway_and_an_artifact(tmp_path):
    rng, n = np.random.default_rng(2), 20 * 30_000
    x = rng.normal(0, 10, (n, 4))
    t = np.arange(-30, 60) / 30.0
    shape = -120 * np.exp(-0.5 * (t / 0.15) ** 2) + 40 * np.exp(-0.5 * ((t - 0.6) / 0.3) ** 2)
    at = np.arange(n // 2, n - 500, 1500)
    for a in at:
        x[a - 30 : a + 60] += shape[:, None] * np.asarray([0.4, 1.0, 0.6, 0.2])
    x[100_000:100_300] += 30_000  # a saturating pulse of stimulation
    x[200_000:200_100] = np.nan
    signal = Signal.from_array(x.astype(np.float32), 30_000.0)
    found = match(signal, fitted_to(signal, tmp_path), Context(tmp_path), "matching")
    assert np.unique(found.unit).size <= 2
    largest = np.bincount(found.unit).argmax()
    own = found.sample[found.unit == largest]
    assert aligned(own, at, 30_000.0) > 0.9
    assert own.size >= 0.9 * at.size


def test_a_device_that_is_not_there_is_told_before_anything_is_done(simulated, tmp_path):
    recording = simulated[0]
    inputs = Inputs(recording, recording.signal.name)
    with pytest.raises(BadArgumentError, match="device among"):
        NISSL.annotate(inputs, {**NISSL.defaults(), "device": "tpu"}, Context(tmp_path))


def test_too_short_a_recording_is_refused(tmp_path):
    signal = Signal.from_array(np.zeros((1000, 4), np.float32), 30_000.0)
    inputs = Inputs(Recording(None, "memory", {"signal": signal}), "signal")
    with pytest.raises(BadSamplesError, match="at least 1"):
        NISSL.annotate(inputs, NISSL.defaults(), Context(tmp_path))
