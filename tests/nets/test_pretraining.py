"""Encoders without labels, features as signals, small heads on them, and new subjects."""

import pickle

import numpy as np
import pytest

import nissl
from nissl.clock import Clock
from nissl.data import Recording, Signal
from nissl.errors import BadArgumentError, MissingInputError
from nissl.nets.adaptation import adapted
from nissl.nets.augment import Setting, augmenter
from nissl.nets.pretraining import Pretraining, pretrain, pretrain_windows
from nissl.nets.softmax import fit_head
from nissl.nets.training import Recipe
from nissl.nets.windows import Grid

torch = pytest.importorskip("torch")

from nissl.nets.adaptation import renormalised  # noqa: E402

GRID = Grid(64.0, 4.0, 4.0)
TONES = (5.0, 9.0, 14.0)


def plan(objective, epochs=6):
    return Pretraining(
        objective, GRID, width=8, strides=(2, 2, 2), recipe=Recipe(epochs=epochs, batch=32)
    )


def states(seed, n=60, rate=64.0, gain=10.0):
    """A recording whose rhythm changes every four seconds, and its states."""
    rng = np.random.default_rng(seed)
    code = rng.integers(0, 3, n)
    size = round(4 * rate)
    t = np.arange(n * size) / rate
    phase = np.repeat(rng.uniform(0, 6, n), size)
    wave = np.sin(2 * np.pi * np.repeat(np.array(TONES)[code], size) * t + phase)
    samples = gain * (wave[:, None] + 0.7 * rng.standard_normal((t.size, 2)))
    return Signal.from_array(samples.astype(np.float32), rate, name=f"s{seed}"), code


@pytest.fixture(scope="module")
def encoder():
    sources = [states(seed)[0] for seed in range(4)]
    return pretrain(sources, plan("masked", 12), rng=np.random.default_rng(0))


def features(signal, model, **options):
    return nissl.embed(signal, model, **options).read()


@pytest.mark.parametrize("objective", ["masked", "cpc", "pairs"])
def test_each_objective_learns_something_and_repeats_itself(objective):
    sources = [states(seed, n=40)[0] for seed in range(3)]
    change = augmenter(["gain"], Setting(64.0)) if objective == "pairs" else None
    one, two = (
        pretrain(sources, plan(objective, 4), rng=np.random.default_rng(0), augment=change)
        for _ in range(2)
    )
    kept = [loss for _, loss in one.history]
    assert min(kept[1:]) < kept[0]
    assert one.history == two.history
    assert one.network.header["objective"] == objective
    a, b = (features(sources[0], m.network) for m in (one, two))
    assert np.array_equal(a, b)


def test_features_are_a_lazy_signal_that_says_what_it_was_made_from(encoder, tmp_path):
    path = tmp_path / "encoder.onnx"
    path.write_bytes(encoder.network.model)
    signal, code = states(9)
    made = nissl.embed(signal, path)
    assert made.n_samples == len(code)
    assert made.n_channels == 16
    assert made.rate_hz == pytest.approx(0.25)
    assert made.metadata["model"] == encoder.network.digest
    assert len(made.metadata["made_from"]) == 1
    whole = made.read()
    assert np.isfinite(whole).all()
    assert np.allclose(made.read(7, 9, ["f3"]), whole[7:9, 3:4], atol=1e-5)
    again = pickle.loads(pickle.dumps(made.reader))
    assert np.allclose(again.read(0, 3, np.arange(16)), whole[:3], atol=1e-5)
    recording = Recording(None, "array", {"x": signal}, fingerprint="ab" * 32)
    assert nissl.embed(recording, path, stream="x").metadata["made_from"] == ["ab" * 32]
    other = nissl.embed(states(10)[0], path).metadata["made_from"]
    assert other != made.metadata["made_from"]
    assert nissl.embed(signal, path, step_s=1.0).n_samples == 4 * len(code) - 3


def test_other_rates_sizes_and_numbers_of_channels_mean_the_same(encoder):
    plain, _ = states(9, n=20)
    loud = Signal.from_array(plain.read() * 30 + 5, 64.0)
    want = features(plain, encoder.network)
    assert np.allclose(features(loud, encoder.network), want, atol=1e-2)
    each = features(plain, encoder.network, channels="each")
    assert np.allclose(each.reshape(20, 2, 16).mean(axis=1), want, atol=1e-5)
    silent = plain.read().copy()
    silent[:, 1] = 0
    one = Signal.from_array(silent, 64.0)
    assert np.allclose(features(one, encoder.network), each[:, :16], atol=1e-5)
    nothing = Signal.from_array(np.zeros_like(silent), 64.0)
    assert np.isnan(features(nothing, encoder.network)).all()
    from scipy.signal import resample_poly

    fast = Signal.from_array(resample_poly(plain.read(), 4, 1, axis=0).astype(np.float32), 256.0)
    assert np.abs(features(fast, encoder.network) - want).mean() < 0.1 * want.std()


def test_gaps_stay_gaps(encoder):
    samples = states(9, n=20)[0].read()
    clock = Clock.from_segments(64.0, [640, 100, len(samples) - 740], [0.0, 50.0, 90.0])
    made = nissl.embed(Signal.from_array(samples, 64.0, clock=clock), encoder.network)
    assert [s.t0_s for s in made.clock.segments] == [0.0, 90.0]
    assert made.n_samples == 2 + (len(samples) - 740) // 256
    for start, stop in made.blocks(5):
        assert np.isfinite(made.read(start, stop)).all()


def test_a_head_on_a_few_labels_reads_the_states(encoder):
    (first, known), (second, true) = states(20), states(21)
    x, new = (features(s, encoder.network).astype(float) for s in (first, second))
    x, new = (adapted(v, np.zeros(len(v)), "standardised") for v in (x, new))
    head = fit_head(x[:20], known[:20], np.ones(20), 3)
    assert (head.scores(new).argmax(axis=1) == true).mean() > 0.8


def test_windows_of_anything_may_be_given():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 64)).astype(np.float32)
    small = Pretraining(
        "pairs", Grid(32000.0, 0.002, 0.002), width=8, strides=(2, 2), recipe=Recipe(epochs=1)
    )
    made = pretrain_windows(x, np.zeros(200, int), small, rng=rng)
    assert made.network(x[:3, None]).shape == (3, 16)


def test_what_cannot_be_learnt_from_or_run(encoder, tmp_path):
    short = Signal.from_array(np.ones((64, 1), np.float32), 64.0)
    rng = np.random.default_rng(0)
    for sources in ([], [short], [states(1, n=8)[0]]):
        with pytest.raises(MissingInputError):
            pretrain(sources, plan("masked"), rng=rng)
    with pytest.raises(BadArgumentError):
        plan("wishful")
    with pytest.raises(BadArgumentError, match="longer"):
        nissl.embed(short, encoder.network)
    with pytest.raises(BadArgumentError):
        nissl.embed(states(1)[0], encoder.network, channels="some")


def test_subjects_on_their_own_scale():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 4))
    who = np.repeat(["a", "b"], 30)
    x[30:] = 3 * x[30:] + 7
    x[0, 0] = np.nan
    assert np.array_equal(adapted(x, who, "none"), x, equal_nan=True)
    centred, scaled = adapted(x, who, "recentred"), adapted(x, who, "standardised")
    for rows in (who == "a", who == "b"):
        assert np.allclose(np.nanmean(centred[rows], axis=0), 0)
        assert np.allclose(np.nanstd(scaled[rows], axis=0), 1)
    with pytest.raises(BadArgumentError):
        adapted(x, who, "wished")


def test_normalisation_counted_anew_changes_statistics_and_no_weight(encoder):
    signal, _ = states(30)
    x = signal.read().reshape(60, 256, 2)[:, None, :, 0] * 4
    new = renormalised(encoder.net, x)
    for (name, old), value in zip(
        encoder.net.state_dict().items(), new.state_dict().values(), strict=True
    ):
        assert torch.equal(old, value) != ("running" in name or "num_batches" in name)


def test_nothing_here_brings_pytorch():
    import subprocess
    import sys

    code = (
        "import sys, nissl; nissl.embed; import nissl.nets.training, nissl.nets.pretraining, "
        "nissl.nets.onnx_files, nissl.nets.adaptation; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
