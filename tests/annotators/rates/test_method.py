"""`rates/nissl`, `rates/oasis` and `rates/derivative`, and what they make of bad input."""

import numpy as np
import pytest

from nissl.annotators.rates.method import DERIVATIVE, NISSL, OASIS, inferred
from nissl.annotators.rates.model import RateModel, shipped
from nissl.annotators.rates.simulate import simulate
from nissl.annotators.rates.task import RATES
from nissl.annotators.rates.train import sigma_for
from nissl.annotators.rates.train import simulated as simulated_at
from nissl.data import ChannelTable, Recording, Signal
from nissl.errors import BadArgumentError, BadMetadataError, BadSamplesError, CorruptSourceError
from nissl.run.context import Context
from nissl.tasks import Inputs
from nissl.testing.annotators import AnnotatorContract


def recording(dff, rate_hz, ids=None):
    table = ChannelTable.plain(ids or [str(k) for k in range(dff.shape[1])], kind="fluorescence")
    signal = Signal.from_array(dff.astype(np.float32), rate_hz, name="fluorescence", channels=table)
    return Inputs(
        Recording(path=None, format="simulated", streams={"fluorescence": signal}, fingerprint="f"),
        "fluorescence",
    )


def run(method, inputs, tmp_path, **parameters):
    return method.annotate(inputs, {**method.defaults(), **parameters}, Context(tmp_path))


@pytest.fixture(scope="module")
def simulated():
    return simulate(3, n_cells=4, duration_s=90, rate_hz=30.0, noise_level=(0.5, 1.0))


class TestNissl(AnnotatorContract):
    @pytest.fixture(scope="class")
    def annotator(self):
        return NISSL

    @pytest.fixture(scope="class")
    def inputs(self, simulated):
        return Inputs(simulated[0], "fluorescence")


def test_rates_follow_the_truth(simulated, tmp_path):
    made, truth = simulated
    result = run(NISSL, Inputs(made, "fluorescence"), tmp_path)
    (rates,) = result.sources
    assert rates.name == "rates"
    assert rates.channels.kind == "rate"
    assert rates.channels.ids[:3] == ("0", "0.low", "0.high")
    assert rates.n_samples == made["fluorescence"].n_samples
    assert rates.metadata["unit"] == "spikes/s"
    values = rates.read()
    for cell in truth.items.tolist():
        rate, low, high = values[:, 3 * cell : 3 * cell + 3].T
        spikes = truth.column("sample")[truth.rows_of(cell)]
        known = np.convolve(
            np.bincount(spikes, minlength=rate.size) * 30.0, np.ones(15) / 15, "same"
        )
        assert np.corrcoef(np.convolve(rate, np.ones(15) / 15, "same"), known)[0, 1] > 0.5
        inside = np.isfinite(low)
        assert np.all(low[inside] <= rate[inside] + 1e-4)
        assert np.all(high[inside] >= rate[inside] - 1e-4)
    scores = RATES.score(result.labels[0], truth)
    assert scores["precision"] > 0.5
    assert scores["correlation_median"] > 0.4


def test_items_are_named_as_the_traces(simulated, tmp_path):
    dff = simulated[0]["fluorescence"].read()
    found = run(NISSL, recording(dff, 30.0, ["7", "12", "3", "40"]), tmp_path)
    assert set(found.labels[0].items.tolist()) <= {3, 7, 12, 40}
    table = RATES.describe(found.labels[0], recording(dff, 30.0, ["7", "12", "3", "40"]), None)
    assert table.items.tolist() == found.labels[0].items.tolist()
    assert np.all(np.asarray(table.table.column("noise_level")) > 0)


def test_other_frame_rates_give_the_same_rates(simulated):
    dff = simulated[0]["fluorescence"].read()[:, 0].astype(np.float64)
    slow = dff[: dff.size // 3 * 3].reshape(-1, 3).mean(axis=1)
    a, b = (inferred(shipped(), x, hz).rate for x, hz in ((dff, 30.0), (slow, 10.0)))
    assert b.size == slow.size
    assert b.mean() == pytest.approx(a.mean(), rel=0.5, abs=0.3)


@pytest.mark.parametrize(("rate_hz", "near_hz"), [(15.0, 14.0), (60.0, 55.0)])
def test_a_network_of_its_own_for_other_frame_rates(rate_hz, near_hz):
    model = shipped()
    own = model.nearest(rate_hz)
    assert own.rate_hz == model.nearest(near_hz).rate_hz == rate_hz
    assert own.sigma_s == sigma_for(rate_hz)
    slower = model.ensembles[model.ensembles.index(own) - 1]
    r = []
    for each in simulated_at(rate_hz, 2, np.random.default_rng(3), 60.0):
        if each.rate.std() > 0:
            dff = each.dff.astype(np.float64)
            said = [inferred(RateModel((m,)), dff, rate_hz).rate for m in (slower, own)]
            r.append([np.corrcoef(rate, each.rate)[0, 1] for rate in said])
    assert np.median(r, axis=0)[1] > np.median(r, axis=0)[0]


@pytest.mark.parametrize("method", [OASIS, DERIVATIVE])
def test_classical_methods(method, simulated, tmp_path):
    if method.missing():
        pytest.skip("pip install numba")
    result = run(method, Inputs(simulated[0], "fluorescence"), tmp_path, amplitude=0.2)
    (rates,) = result.sources
    assert rates.channels.ids == ("0", "1", "2", "3")
    assert rates.metadata["unit"] == "spikes/s"
    assert result.labels[0].n_rows == 0
    plain = run(method, Inputs(simulated[0], "fluorescence"), tmp_path).sources[0]
    assert plain.metadata["unit"] == "dF/F/s"
    np.testing.assert_allclose(plain.read(), rates.read() * 0.2, rtol=1e-4)
    with pytest.raises(BadArgumentError):
        run(method, Inputs(simulated[0], "fluorescence"), tmp_path, amplitude=-1)


def test_bad_traces_are_told_and_left_open(simulated, tmp_path):
    dff = simulated[0]["fluorescence"].read().copy()
    dff[:, 0] = 0.5
    dff[:, 1] = np.nan
    dff[100:130, 2] = np.nan
    dff[500:600, 3] -= 9.0
    result = run(NISSL, recording(dff, 30.0), tmp_path)
    told = {(f.check, f.item): f.severity for f in result.findings}
    assert told["constant_trace", 0] == "error"
    assert told["missing_frames", 1] == "error"
    assert told["missing_frames", 2] == "note"
    assert told["negative_fluorescence", 3] == "warning"
    rates = result.sources[0].read()
    assert np.isnan(rates[:, :6]).all()
    assert np.isnan(rates[100:130, 6]).all()
    assert np.isfinite(rates[:100, 6]).all()


def test_what_is_no_trace_of_calcium_is_refused(simulated, tmp_path):
    dff = simulated[0]["fluorescence"].read()
    with pytest.raises(BadSamplesError, match="dF/F"):
        run(NISSL, recording(1000 + 100 * dff, 30.0), tmp_path)
    with pytest.raises(BadSamplesError, match="percent"):
        run(NISSL, recording(100 * dff, 30.0), tmp_path)
    with pytest.raises(BadSamplesError, match="5 s"):
        run(NISSL, recording(dff[:60], 30.0), tmp_path)
    for rate in (0.2, 30_000.0):
        with pytest.raises(BadMetadataError, match="frame rate"):
            run(NISSL, recording(dff, rate), tmp_path)


def test_slow_recordings_are_told(simulated, tmp_path):
    dff = simulated[0]["fluorescence"].read()
    result = run(NISSL, recording(dff, 3.0), tmp_path)
    assert [f.check for f in result.findings if f.item is None] == ["slower_than_trained"]


def test_a_trace_unlike_training_has_no_interval(tmp_path):
    x = np.random.default_rng(0).normal(0, 1, (3000, 2)).cumsum(axis=0)
    result = run(NISSL, recording(x / 3, 30.0), tmp_path)
    assert {f.check for f in result.findings if f.item is not None} >= {"novelty"}
    rates = result.sources[0].read()
    novel = [f.item for f in result.findings if f.check == "novelty"]
    assert np.isnan(rates[:, [3 * k + 1 for k in novel]]).all()


def test_files_restore_the_model():
    files = dict(shipped().files())
    again = RateModel.restored(files)
    assert again.files() == files
    dff = np.random.default_rng(0).gamma(0.3, 0.3, 400)
    np.testing.assert_array_equal(
        inferred(shipped(), dff, 7.5).rate, inferred(again, dff, 7.5).rate
    )
    with pytest.raises(CorruptSourceError):
        RateModel.restored({**files, "weights.bin": files["weights.bin"][:100]})


def test_the_card_says_what_it_was_trained_on():
    about = shipped().about
    assert about["simulated"] is True
    assert about["licence"] == "BSD-3-Clause"
    assert set(about["scores"]) == {f"{e.rate_hz:g} Hz" for e in shipped().ensembles}


def test_the_type_of_cells_sets_scale_and_interval(simulated, tmp_path):
    made = Inputs(simulated[0], "fluorescence")
    kinds = ("pyramidal", "fast-spiking")
    rates = [run(NISSL, made, tmp_path, cell_type=kind).sources[0].read() for kind in kinds]
    ratio = rates[1][:, 0].sum() / rates[0][:, 0].sum()
    scales = [shipped().nearest(30.0).by_type[kind].scale for kind in kinds]
    assert ratio == pytest.approx(scales[1] / scales[0], rel=1e-3)
    with pytest.raises(BadArgumentError, match="cells"):
        run(NISSL, made, tmp_path, cell_type="unheard-of")
