"""Decoding on a stream: what is said of a file is said of its stream."""

import numpy as np
import pytest

from nissl.annotators.decoding import methods
from nissl.annotators.decoding.simulate import simulate_trials
from nissl.annotators.decoding.stopping import stopped
from nissl.annotators.decoding.windows import Windowing, cut
from nissl.errors import BadArgumentError, BadMetadataError
from nissl.live import StreamInfo
from nissl.live.decoding import LiveDecoder, SteadyStop
from nissl.run.context import Context
from nissl.tasks import Inputs

RATE = 128.0


def taught(seed=1):
    made = simulate_trials(seed, paradigm="ssvep", n_trials=60, n_unknown=30)
    inputs = Inputs(made.recording, "eeg", {"trials": made.trials})
    return made, inputs


def test_decisions_on_a_stream_are_those_of_the_file(tmp_path):
    made, inputs = taught()
    method = methods.SSVEP
    offline = method.annotate(inputs, method.defaults(), Context(tmp_path, seed=5)).labels[0]
    decoder = method.teach(inputs, {}, np.random.default_rng(5))
    stream, trials, decided = made.recording["eeg"], made.trials, {}
    live = LiveDecoder(StreamInfo.of(stream), decoder)
    onsets = trials.column("start")[30:].tolist()
    for a in range(0, stream.n_samples, 13):
        chunk = stream.read(a, min(a + 13, stream.n_samples))
        for onset in [o for o in onsets if a <= o < a + 13]:
            live.onset(onset)
        for claim in live.push(chunk, a):
            decided[claim.start] = claim
            assert claim.known_at - claim.stop <= live.latency_s * RATE
    confidence = offline.column("confidence")[30:]
    said = np.array([decided[o].confidence for o in onsets])
    assert np.allclose(said, confidence, atol=1e-6)
    label = [decoder.classes.index(decided[o].label) for o in onsets]
    assert label == offline.column("label")[30:].tolist()


def test_growing_windows_stop_when_sure():
    made, inputs = taught(2)
    lengths = (0.5, 1.0, 2.0)
    rng = np.random.default_rng(0)
    decoders = {}
    for length in lengths:
        decoders[length] = methods.SSVEP.teach(inputs, {"stop_s": length}, rng)
    stream, onsets = made.recording["eeg"], made.trials.column("start")
    info, classes = StreamInfo.of(stream), decoders[2.0].classes
    live = SteadyStop(info, decoders, 0.9)
    x = {n: cut(stream, onsets, Windowing(RATE, 0.0, n, (6, 45)))[0] for n in lengths}
    p = [decoders[n].chances(x[n]) for n in lengths]
    label, seconds = stopped(p, lengths, 0.9)
    for onset in onsets.tolist():
        live.onset(onset)
    found = {}
    for a in range(0, stream.n_samples, 16):
        chunk = stream.read(a, min(a + 16, stream.n_samples))
        found |= {c.start: classes.index(c.label) for c in live.push(chunk, a)}
    assert [found[o] for o in onsets.tolist()] == label.tolist()
    assert 0.5 <= seconds.mean() < 2.0
    with pytest.raises(BadArgumentError):
        SteadyStop(info, {}, 0.9)


def test_windows_one_after_another_whatever_the_chunks():
    made, inputs = taught(3)
    decoder = methods.SSVEP.teach(inputs, {"stop_s": 1.0}, np.random.default_rng(0))
    x = made.recording["eeg"].read(0, 1500)
    x[700:703, 1] = np.nan
    said = []
    for size in (7, 64, 1500):
        live = LiveDecoder(StreamInfo.of(made.recording["eeg"]), decoder, every_s=0.5)
        said.append([c for a in range(0, 1500, size) for c in live.push(x[a : a + size], a)])
    assert repr(said[0]) == repr(said[1]) == repr(said[2])
    assert [c.start for c in said[0]] == list(range(0, 1500 - 127, 64))
    assert {c.label for c in said[0] if c.start <= 702 < c.stop} == {"unknown"}


def test_a_decoder_says_what_it_was_taught_on():
    _, inputs = taught()
    decoder = methods.SSVEP.teach(inputs, {}, np.random.default_rng(0))
    with pytest.raises(BadMetadataError, match="128 Hz"):
        LiveDecoder(StreamInfo.plain([f"E{k}" for k in range(8)], 256.0), decoder)
    with pytest.raises(BadArgumentError, match="step"):
        LiveDecoder(StreamInfo.of(inputs.signal), decoder, every_s=0.0)
