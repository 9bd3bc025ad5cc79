import numpy as np
import pytest

from nissl.annotators.rates.simulate_voltage import Manner, simulate_voltage
from nissl.annotators.rates.train_voltage import paired
from nissl.annotators.rates.voltage_method import VOLTAGE
from nissl.clock import Clock
from nissl.data import ChannelTable, Recording, Signal
from nissl.errors import BadArgumentError, BadMetadataError
from nissl.run.context import Context
from nissl.tasks import Inputs
from nissl.testing.annotators import AnnotatorContract

LIVELY = Manner(firing_hz=(3.0, 8.0))


def run(recording, tmp_path, **parameters):
    complete = {**VOLTAGE.defaults(), **parameters}
    return VOLTAGE.annotate(Inputs(recording, "fluorescence"), complete, Context(tmp_path, seed=3))


def recording_of(samples, rate_hz=1000.0, ids=None, clock=None):
    table = ChannelTable.plain(ids or [str(k) for k in range(samples.shape[1])])
    signal = Signal.from_array(
        samples.astype(np.float32), rate_hz, name="fluorescence", channels=table, clock=clock
    )
    return Recording(path=None, format="made", streams={"fluorescence": signal}, fingerprint="f")


class TestVoltage(AnnotatorContract):
    @pytest.fixture(scope="class")
    def annotator(self):
        return VOLTAGE

    @pytest.fixture(scope="class")
    def inputs(self):
        recording, _ = simulate_voltage(1, n_cells=3, duration_s=10.0, snr=7.0, manner=LIVELY)
        return Inputs(recording, "fluorescence")


@pytest.mark.parametrize("polarity", [1, -1])
def test_spikes_rates_and_voltage_of_either_polarity(polarity, tmp_path):
    recording, truth = simulate_voltage(
        2, n_cells=3, duration_s=15.0, snr=8.0, polarity=polarity, manner=LIVELY
    )
    result = run(recording, tmp_path)
    assert result.log["polarity"] == polarity
    labels = result.labels[0]
    rates, under = result.sources
    assert (rates.name, under.name) == ("rates", "subthreshold")
    assert rates.channels.kind == "rate"
    for item in truth.items.tolist():
        true = truth.column("sample")[truth.rows_of(item)]
        rows = labels.rows_of(item)
        said = labels.column("sample")[rows]
        hit, right = paired(true, said, labels.column("confidence")[rows])
        assert hit.mean() > 0.75
        assert right.mean() > 0.8
        count = rates.read()[:, item].sum() / rates.rate_hz
        assert count == pytest.approx(true.size, rel=0.25)
    assert np.all(labels.column("confidence") >= 0.5)
    assert np.all(labels.column("amplitude") > 0)


def test_items_are_named_by_their_channels(tmp_path):
    recording, _ = simulate_voltage(4, n_cells=2, duration_s=5.0, snr=9.0, manner=LIVELY)
    samples = recording["fluorescence"].read()
    labels = run(recording_of(samples, ids=["7", "30"]), tmp_path).labels[0]
    assert set(labels.items.tolist()) == {7, 30}


def test_gaps_are_never_crossed(tmp_path):
    recording, _ = simulate_voltage(5, n_cells=1, duration_s=8.0, snr=9.0, manner=LIVELY)
    samples = recording["fluorescence"].read()
    clock = Clock.from_times(np.r_[np.arange(4000), np.arange(4000) + 9000] / 1000)
    made = run(recording_of(samples, clock=clock), tmp_path)
    halves = [run(recording_of(samples[part]), tmp_path, polarity="darkens").labels[0]
              for part in (slice(0, 4000), slice(4000, 8000))]  # fmt: skip
    apart = np.r_[halves[0].column("sample"), halves[1].column("sample") + 4000]
    np.testing.assert_array_equal(made.labels[0].column("sample"), apart)


def test_noise_alone_has_no_polarity_and_dead_traces_are_told(tmp_path):
    rng = np.random.default_rng(6)
    samples = 1000 + 10 * rng.standard_normal((5000, 3))
    samples[:, 1] = 7
    samples[:, 2] = np.nan
    found = {f.check: f for f in run(recording_of(samples), tmp_path).findings}
    assert {"polarity_unknown", "no_trace"} <= set(found)
    result = run(recording_of(samples), tmp_path)
    assert np.all(np.isnan(result.sources[1].read()[:, 1:]))
    assert np.all(np.isfinite(result.sources[1].read()[:, 0]))


def test_bleaching_and_slow_movies_are_told(tmp_path):
    manner = Manner(firing_hz=(3.0, 8.0), bleaching=(0.6, 0.65))
    recording, _ = simulate_voltage(
        7, n_cells=1, duration_s=10.0, snr=8.0, rate_hz=300.0, manner=manner
    )
    checks = {f.check for f in run(recording, tmp_path).findings}
    assert {"bleached", "slow_for_voltage"} <= checks


@pytest.mark.parametrize(
    "wrong", [{"polarity": "up"}, {"least": 0.0}, {"least": "much"}, {"smooth_hz": -1.0}]
)
def test_parameters_outside_their_values_are_refused(wrong, tmp_path):
    recording, _ = simulate_voltage(8, n_cells=1, duration_s=1.0)
    with pytest.raises(BadArgumentError):
        run(recording, tmp_path, **wrong)


def test_slow_and_short_recordings_are_refused(tmp_path):
    with pytest.raises(BadMetadataError):
        run(recording_of(np.ones((1000, 1)), rate_hz=30.0), tmp_path)
    with pytest.raises(BadMetadataError):
        run(recording_of(np.ones((100, 1))), tmp_path)
