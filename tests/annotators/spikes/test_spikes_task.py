"""The task as a whole: its declaration, the contract suite, one real sorter, bad input."""

import json
import subprocess
import sys

import numpy as np
import pytest

from nissl.annotators.spikes.adapter import SorterAdapter
from nissl.annotators.spikes.adapters import LUPIN, MOUNTAINSORT5, SPYKINGCIRCUS2, TRIDESCLOUS2
from nissl.annotators.spikes.preprocess import Plan
from nissl.annotators.spikes.simulate import simulate
from nissl.annotators.spikes.sorters import Sorter
from nissl.annotators.spikes.task import SPIKES
from nissl.data import ChannelTable, Recording, Signal
from nissl.errors import BadArgumentError, BadMetadataError, BadSamplesError
from nissl.run.context import Context
from nissl.tasks import ANNOTATORS, TASKS, Annotator, Inputs, Promises, resolve
from nissl.testing.annotators import AnnotatorContract

STAND_IN = """
import json, pathlib, sys
import numpy as np
from nissl.annotators.spikes.detecting import troughs
from nissl.annotators.spikes.preprocess import Plan, apply_plan
from nissl.data.spikeinterface import signal_from_json
path = pathlib.Path(sys.argv[1])
job = json.loads(path.read_text())
signal = signal_from_json(job["signal"])
x = apply_plan(signal, Plan.from_json(job["plan"])).get_traces().astype("f4")
at = troughs(x, np.median(np.abs(x), axis=0) * 1.4826, signal.rate_hz)
np.savez(path.with_name("result.npz"), sample=at, unit=x[at].argmin(axis=1))
"""


class Thresholder(SorterAdapter):
    """Troughs of each channel as a unit: enough of a sorter for the contract."""

    def process(self, signal, job, context):
        _, job = super().process(signal, job, context)
        script = context.workdir / "stand_in.py"
        script.write_text(STAND_IN)
        return [sys.executable, "-W", "ignore", str(script)], job


THRESHOLDER = Thresholder(
    Sorter(
        name="thresholder",
        does=(),
        packages={},
        versions=("numpy",),
        band_hz=(300.0, 6000.0),
        settings=lambda motion, seed, n_jobs: {},
        corrects_motion=False,
    ),
    promises=Promises(chunked=False, deterministic=True, memory="measured"),
)


def inputs_of(recording):
    return Inputs(recording, next(iter(recording)))


class TestThresholder(AnnotatorContract):
    @pytest.fixture(scope="class")
    def annotator(self):
        return THRESHOLDER

    @pytest.fixture(scope="class")
    def inputs(self):
        return inputs_of(simulate(5, n_channels=6, duration_s=4, n_units=3)[0])


@pytest.fixture(scope="module")
def truth_and_inputs():
    recording, truth = simulate(1, n_channels=8, duration_s=20, n_units=4)
    return truth, inputs_of(recording)


class TestTridesclous2(AnnotatorContract):
    @pytest.fixture(scope="class")
    def annotator(self):
        return TRIDESCLOUS2

    @pytest.fixture(scope="class")
    def inputs(self, truth_and_inputs):
        return truth_and_inputs[1]

    def test_finds_the_true_units(self, run, truth_and_inputs):
        scored = SPIKES.score(run[0].labels[0], truth_and_inputs[0])
        assert scored["true_units"] == 4
        assert scored["units_at_least_0.8"] >= 3
        assert scored["accuracy_mean"] > 0.75
        assert scored["false_positive_units"] <= 1

    def test_says_what_was_done(self, run):
        log = run[0].log
        steps = [(s["step"], s["by"]) for s in log["preprocessing"]]
        assert steps == [
            ("bandpass", "nissl"),
            ("bad_channels", "nissl"),
            ("whitening", "tridesclous2"),
        ]
        assert all(s["text"].endswith(".") for s in log["preprocessing"])
        assert log["sorter_wall_s"] <= log["wall_s"]
        assert log["sorter"]["name"] == "tridesclous2"
        parameters = run[0].labels[0].provenance.parameters
        assert parameters["preprocessing"] == log["preprocessing"], "the labels themselves say so"
        assert parameters["freq_min_hz"] == 150.0

    def test_spikes_stand_on_their_peaks(self, run, inputs):
        labels = run[0].labels[0]
        peaks = run[0].items[0].arrays["template"]
        before = run[0].items[0].context["n_before"]
        best = run[0].items[0].table.column("channel").to_numpy()
        for k, channel in enumerate(best):
            assert abs(int(np.abs(peaks[k, :, channel]).argmax()) - before) <= 1
            own = labels.rows_of(k)
            assert set(labels.column("channel")[own].tolist()) == {channel}

    def test_its_units_are_checked(self, run, inputs, tmp_path):
        result = run[0]
        findings = SPIKES.check(result.labels[0], result.items[0], inputs, Context(tmp_path))
        assert all(f.sentence.endswith((".", "?")) for f in findings)
        assert not [f for f in findings if f.item is None]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("adapter", "least"),
    [(LUPIN, 0.75), (SPYKINGCIRCUS2, 0.7), (MOUNTAINSORT5, 0.4)],
    ids=lambda v: v.sorter.name if isinstance(v, SorterAdapter) else "",
)
def test_every_installed_sorter_finds_most_units(adapter, least, tmp_path):
    if adapter.missing():
        pytest.skip(f"install with: {next(iter(adapter.missing().values()))}")
    recording, truth = simulate(2, n_channels=16, duration_s=30, n_units=6)
    result = adapter.annotate(inputs_of(recording), adapter.defaults(), Context(tmp_path, seed=0))
    assert SPIKES.score(result.labels[0], truth)["accuracy_mean"] > least


def test_the_task_names_its_methods_and_they_exist():
    assert TASKS.get("spikes") is SPIKES
    for name in SPIKES.methods:
        method = ANNOTATORS.get(name)
        assert isinstance(method, Annotator)
        assert method.name == name
        assert json.loads(json.dumps(dict(method.defaults()))) == dict(method.defaults())
    assert resolve("spikes")[1].missing() == {}


def test_tridesclous2_needs_no_torch():
    """What a light installation sorts with never imports PyTorch here."""
    code = (
        "import sys; from nissl.annotators.spikes.adapters import TRIDESCLOUS2 as t;"
        "t.missing(), t.packages(), t.defaults(); assert 'torch' not in sys.modules;"
        "assert 'spikeinterface' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def array_inputs(x, rate_hz=30_000.0, channels=None):
    signal = Signal.from_array(x.astype(np.float32), rate_hz, name="ap", channels=channels)
    return Inputs(Recording(None, "array", {"ap": signal}, fingerprint="f"), "ap")


@pytest.mark.parametrize(
    ("inputs", "error"),
    [
        (array_inputs(np.random.default_rng(0).standard_normal((60_000, 4))), BadSamplesError),
        (array_inputs(np.zeros((60_000, 4))), BadSamplesError),
        (array_inputs(np.full((60_000, 2), np.nan)), BadSamplesError),
        (array_inputs(np.zeros((300, 4))), BadSamplesError),
        (array_inputs(np.zeros((3000, 4)), rate_hz=200.0), BadMetadataError),
    ],
    ids=["no spikes", "constant", "nan", "short", "slow"],
)
def test_bad_input_is_refused_before_sorting(inputs, error, tmp_path):
    with pytest.raises(error) as caught:
        THRESHOLDER.annotate(inputs, THRESHOLDER.defaults(), Context(tmp_path))
    assert len(str(caught.value).splitlines()) == 2
    assert not list(tmp_path.glob("shank-*"))


def test_motion_correction_that_a_sorter_cannot_do_is_refused(tmp_path):
    parameters = MOUNTAINSORT5.defaults() | {"motion_correction": "on"}
    inputs = inputs_of(simulate(5, n_channels=4, duration_s=2, n_units=2)[0])
    with pytest.raises(BadArgumentError, match="motion_correction"):
        MOUNTAINSORT5.annotate(inputs, parameters, Context(tmp_path))


def test_one_channel_without_geometry(tmp_path):
    recording, _ = simulate(5, n_channels=4, duration_s=3, n_units=2)
    x = recording.signal.read()
    loud = int(np.argmax(np.ptp(x, axis=0)))
    result = THRESHOLDER.annotate(
        array_inputs(x[:, [loud]]), THRESHOLDER.defaults(), Context(tmp_path)
    )
    assert result.labels[0].items.tolist() == [0]
    assert result.items[0].arrays["template"].shape[2] == 1


def test_no_units_give_an_empty_set_and_a_finding(tmp_path):
    class Shy(Thresholder):
        def process(self, signal, job, context):
            command, job = super().process(signal, job, context)
            script = context.workdir / "stand_in.py"
            script.write_text(STAND_IN.replace("sample=at, unit", "sample=at[:0], unit") + "\n")
            text = script.read_text().replace("argmin(axis=1))", "argmin(axis=1)[:0])")
            script.write_text(text)
            return command, job

    inputs = inputs_of(simulate(5, n_channels=4, duration_s=3, n_units=2)[0])
    result = Shy(THRESHOLDER.sorter).annotate(inputs, THRESHOLDER.defaults(), Context(tmp_path))
    assert result.labels[0].n_rows == 0
    assert result.items[0].items.size == 0
    findings = SPIKES.check(result.labels[0], result.items[0], inputs, Context(tmp_path))
    assert "no_units" in {f.check for f in findings}


def test_shanks_are_sorted_apart(tmp_path):
    recording, _ = simulate(5, n_channels=8, duration_s=3, n_units=4)
    table = recording.signal.channels
    channels = ChannelTable.plain(
        8,
        position_um=table.position_um,
        shank=np.repeat([0, 3], 4),
    )
    inputs = array_inputs(recording.signal.read(), channels=channels)
    result = THRESHOLDER.annotate(inputs, THRESHOLDER.defaults(), Context(tmp_path))
    assert sorted(p.name for p in tmp_path.glob("shank-*")) == ["shank-0", "shank-3"]
    shank = result.items[0].table.column("shank").to_numpy()
    assert set(shank.tolist()) == {0, 3}
    assert np.all(np.diff(shank) >= 0)
    jobs = [json.loads((tmp_path / f"shank-{k}" / "job.json").read_text()) for k in (0, 3)]
    assert [job["channels"] for job in jobs] == [["0", "1", "2", "3"], ["4", "5", "6", "7"]]
    assert Plan.from_json(jobs[0]["plan"]).by("nissl")


def test_warming_keeps_what_a_sorter_compiles(tmp_path):
    """The folder of compiled functions is one per set of versions, and is not empty after a run."""
    from nissl.annotators.spikes.sorting import compiled
    from nissl.annotators.spikes.warm import warm

    assert warm("spikes/tridesclous2") == "spikes/tridesclous2"
    assert "spikeinterface-" in compiled().name
    assert any(compiled().rglob("*.nbi"))
