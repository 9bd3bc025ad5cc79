"""The network on samples: its contract, what it says of itself, and its trainer."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from nissl.annotators.sleep.network import NETWORK, SIMULATED, NetworkStager, channels_of
from nissl.annotators.sleep.simulate import simulate_night
from nissl.annotators.sleep.task import SLEEP
from nissl.annotators.sleep.vocabulary import HUMAN
from nissl.clock import Clock
from nissl.data import ChannelTable, Signal
from nissl.data.annotations import Annotation, Annotations
from nissl.errors import BadArgumentError, MissingInputError
from nissl.run.context import Context
from nissl.tasks import Inputs
from nissl.testing.annotators import AnnotatorContract

pytest.importorskip("onnxruntime", reason="needs nissl[eeg]")


class TestContract(AnnotatorContract):
    @pytest.fixture(scope="class")
    def annotator(self):
        return NETWORK

    @pytest.fixture(scope="class")
    def inputs(self, night):
        return night[0]


def staged(inputs, tmp_path, **given):
    return NETWORK.annotate(inputs, NETWORK.defaults() | given, Context(tmp_path))


def with_signal(inputs, signal):
    return Inputs(replace(inputs.recording, streams={"signal": signal}), "signal")


def test_a_simulated_night_is_staged_and_nothing_is_claimed(night, tmp_path):
    inputs, truth = night
    result = staged(inputs, tmp_path)
    labels = result.labels[0]
    assert SLEEP.score(labels, truth)["kappa"] > 0.9
    assert np.isnan(labels.column("confidence")).all()
    assert [f.check for f in result.findings] == [SIMULATED]
    assert "simulated" in result.log["trained_on"]
    assert labels.provenance.author.weights == NETWORK.weights


def test_size_sign_rate_and_number_of_channels_hardly_matter(night, tmp_path):
    from scipy.signal import resample_poly

    inputs, truth = night
    samples, table = inputs.signal.read(), inputs.signal.channels
    fast = resample_poly(samples, 64, 25, axis=0).astype(np.float32)
    for changed, rate in ((samples * 1.5, 100.0), (-samples, 100.0), (fast, 256.0)):
        signal = Signal.from_array(changed, rate, channels=table)
        labels = staged(with_signal(inputs, signal), tmp_path).labels[0]
        got = [HUMAN.names[k] for k in labels.column("label").tolist()]
        want = [HUMAN.names[k] for k in truth.column("label").tolist()]
        assert np.mean([a == b for a, b in zip(got, want, strict=True)]) > 0.9
    one = staged(inputs, tmp_path, channels=["EEG Fpz-Cz"])
    assert SLEEP.score(one.labels[0], truth)["kappa"] > 0.5
    assert one.log["channels"] == ["EEG Fpz-Cz"]


def test_silence_is_unknown_and_gaps_are_kept_apart(night, tmp_path):
    inputs, _ = night
    samples = inputs.signal.read()[:90_000].copy()
    clock = Clock.from_segments(100.0, [31_000, 59_000], [0.0, 900.0])
    table = inputs.signal.channels
    signal = Signal.from_array(samples, 100.0, channels=table, clock=clock)
    labels = staged(with_signal(inputs, signal), tmp_path).labels[0]
    assert labels.column("start").tolist()[10] == 31_000
    flat = Signal.from_array(np.zeros_like(samples), 100.0, channels=table)
    nothing = staged(with_signal(inputs, flat), tmp_path).labels[0]
    assert set(nothing.column("label").tolist()) == {len(HUMAN) - 1}


def test_shipped_weights_need_no_pytorch(tmp_path):
    code = (
        "import sys, pathlib; from nissl.annotators.sleep.network import NETWORK as n;"
        "from nissl.annotators.sleep.simulate import simulate_night as s;"
        "from nissl.tasks import Inputs; from nissl.run.context import Context;"
        "inputs = Inputs(s(1, hours=0.05)[0], 'signal');"
        "n.annotate(inputs, n.defaults(), Context(pathlib.Path(sys.argv[1])));"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert done.returncode == 0


def test_channels_are_chosen_by_type_or_by_name(night):
    ids = ("C3", "C4", "O1", "O2", "F3", "F4", "Fz", "EOG L", "EOG R", "EMG chin", "ECG")
    signal = Signal.from_array(
        np.zeros((100, len(ids)), np.float32), 100.0, channels=ChannelTable.plain(ids)
    )
    assert channels_of(signal) == ["C3", "C4", "O1", "EOG L", "EOG R", "EMG chin"]
    assert channels_of(signal, ("ECG",)) == ["ECG"]
    with pytest.raises(BadArgumentError):
        channels_of(signal, ("T9",))
    with pytest.raises(MissingInputError):
        channels_of(signal.take(["ECG"]))


def test_another_network_is_refused():
    other = NetworkStager(model=_encoder())
    with pytest.raises(BadArgumentError, match="stages sleep"):
        _ = other.weights


def _encoder():
    pytest.importorskip("torch")
    from nissl.nets.encoder import Encoder, EncoderSettings
    from nissl.nets.inference import Network
    from nissl.nets.onnx_files import exported

    example = np.zeros((1, 1, 64), np.float32)
    return Network(
        exported(Encoder(EncoderSettings(4, (4,))), example, {"kind": "encoder"}, varying={0: "n"})
    )


def test_stages_among_the_annotations_of_a_recording():
    pytest.importorskip("torch")
    from nissl.annotators.sleep.train_network import IGNORED, stages_of

    recording, _ = simulate_night(1, hours=0.05)
    notes = (
        Annotation(0.0, 60.0, "Sleep stage W"),
        Annotation(60.0, 30.0, "Sleep stage ?"),
        Annotation(75.0, 0.0, "Lights off"),
        Annotation(90.0, 0.0, "Sleep stage 4"),
    )
    scored = replace(recording, annotations=Annotations(lambda: notes))
    assert stages_of(scored).tolist() == [0, 0, IGNORED, 3, IGNORED, IGNORED]


def test_scored_files_of_a_folder_are_nights(tmp_path):
    pytest.importorskip("torch")
    edfio = pytest.importorskip("edfio")
    from nissl.annotators.sleep.train_network import IGNORED, N_CHANNELS, read_nights

    rng = np.random.default_rng(0)
    (tmp_path / "notes.txt").write_text("scored by hand")
    for name in ("a_1", "a_2", "b_1", "c_1"):
        if name == "c_1":
            with pytest.raises(MissingInputError, match="three subjects"):
                read_nights(tmp_path)
        channels = [
            edfio.EdfSignal(
                rng.normal(0, 20, 90 * rate), rate, label=label, physical_dimension="uV"
            )
            for label, rate in (("EEG Fpz-Cz", 100), ("EEG Pz-Oz", 100), ("Temp rectal", 1))
        ]
        notes = [edfio.EdfAnnotation(0, 60, "Sleep stage 2")]
        edfio.Edf(channels, annotations=notes).write(tmp_path / f"{name}.edf")
    nights = read_nights(tmp_path)
    assert [night.subject for night in nights] == ["a", "a", "b", "c"]
    for night in nights:
        assert night.y.tolist() == [2, 2, IGNORED]
        assert night.x.shape == (3, N_CHANNELS, 3000)
        assert np.isfinite(night.x[:, :2]).all()
        assert np.isnan(night.x[:, 2:]).all()


def test_it_learns_from_simulated_nights_and_stands_by_its_declared_augmentations(tmp_path):
    pytest.importorskip("torch")
    from nissl.annotators.sleep import train_network as train
    from nissl.nets.augment import AUGMENTATIONS
    from nissl.nets.training import Recipe

    assert set(train.AUGMENTATIONS) <= set(AUGMENTATIONS)
    nights = train.simulated_nights(3, hours=0.5, seed=5)
    made = train.learnt(
        nights[:2], nights[2:], rng=np.random.default_rng(0),
        recipe=Recipe(epochs=20, batch=1, rate=5e-3), header={"simulated": True},
    )  # fmt: skip
    assert train.scored(made, nights[2:])["accuracy"] > 0.5
    recording, _ = simulate_night(77, hours=0.2)
    result = NetworkStager(model=made).annotate(
        Inputs(recording, "signal"), NETWORK.defaults(), Context(tmp_path)
    )
    assert result.labels[0].n_rows == 24
    assert made.header["augmented"] == list(train.AUGMENTATIONS)
    with pytest.raises(MissingInputError):
        train.sequences(train.simulated_nights(1, hours=0.1))
