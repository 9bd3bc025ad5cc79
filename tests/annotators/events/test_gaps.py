"""Recordings with gaps and with next to nothing in them."""

import numpy as np
import pytest

from nissl.annotators.events.simulate import simulate
from nissl.clock import Clock, Segment
from nissl.data import ChannelTable, Recording, Signal
from nissl.errors import NisslError
from nissl.run.context import Context
from nissl.tasks import ANNOTATORS, TASKS, Inputs

METHODS = [m for m in TASKS.get("events").methods if m not in ("events/yasa-rems",)]
NAMES = ("Fp1", "Fp2", "C3", "C4", "P3", "P4", "O1", "O2")


def inputs_of(samples, clock, names=NAMES):
    table = ChannelTable.plain(names[: samples.shape[1]], kind="eeg")
    signal = Signal.from_array(
        samples.astype(np.float32), 700.0, name="eeg", channels=table, clock=clock
    )
    recording = Recording(path=None, format="test", streams={"eeg": signal}, fingerprint="x")
    return Inputs(recording, "eeg")


def run(name, inputs, tmp_path):
    method = ANNOTATORS.get(name)
    names = list(inputs.signal.channels.ids)
    parameters = {**method.defaults(), "channels": names}
    return method.annotate(inputs, parameters, Context(tmp_path)).labels[0]


@pytest.fixture(scope="module")
def gappy():
    kinds = {"spindle": 6.0, "slow wave": 6.0, "blink": 6.0, "interictal spike": 6.0}
    recording, _ = simulate(
        5, kinds=kinds, duration_s=150.0, rate_hz=700.0, n_channels=8, snr=8.0, channel_names=NAMES
    )
    x = recording.signal.read()
    short = 7  # samples
    first = 130 * 700
    clock = Clock(
        (
            Segment(0, first, 0.0, 700.0),
            Segment(first, first + short, 200.0, 700.0),
            Segment(first + short, len(x), 300.0, 700.0),
        )
    )
    return x, clock, (first, first + short)


@pytest.mark.parametrize("name", METHODS)
def test_no_event_crosses_a_gap_and_short_pieces_do_no_harm(name, gappy, tmp_path):
    x, clock, edges = gappy
    labels = run(name, inputs_of(x, clock), tmp_path)
    for edge in edges:
        crossing = (labels.column("start") < edge) & (labels.column("stop") > edge)
        assert not crossing.any()


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("n", [1, 50, 3000])
def test_next_to_nothing_is_an_error_or_no_event(name, n, tmp_path):
    x = np.random.default_rng(0).standard_normal((n, 8)) * 20
    try:
        labels = run(name, inputs_of(x, Clock.regular(700.0, n)), tmp_path)
    except NisslError:
        return
    assert labels.n_rows < 100


@pytest.mark.parametrize("name", METHODS)
def test_samples_that_are_no_numbers_do_no_harm(name, gappy, tmp_path):
    x, _, _ = gappy
    x = x[: 125 * 700].copy()
    x[1000:2000, 2] = np.nan
    x[:, 3] = np.nan
    labels = run(name, inputs_of(x, Clock.regular(700.0, len(x))), tmp_path)
    assert labels.column("stop").max(initial=0) <= len(x)
